"""One simulated cloud: the core's code on memory adapters, each behind a service that may fail."""

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, BinaryIO, Protocol

from core.errors import ProviderUnusableError, StepError, UploadRejectedError
from core.gather import Gather
from core.peer import Peer
from core.pipeline import Pipeline
from core.ports import Absence, Cloud, Fields, Message, ObjectInfo, OpenObject, Row
from core.probe import Probe
from core.record import Record
from core.retry import RetryPolicy
from core.route import Route
from core.upload import Upload, upload_id_of
from core.work_item import from_payload, to_text
from providers.memory.object_store import MemoryObjectStore
from providers.memory.work_queue import MemoryWorkQueue
from tests.simulation.clouds.faults import Condition, Network, Service
from tests.simulation.clouds.services import ServedLedger, ServedQueue, ServedStore
from tests.simulation.clouds.setting import ATTEMPT_COUNT, CLOUDS, MAX_DELAY_S, POLICY, Setting

BUCKET = "uploads"  # the same name in each cloud, which is what operators do
REJECTED = "rejected"  # a name that the user's function refuses


class Observer(Protocol):
    """Who is shown what happens, to check it."""

    def ledger_written(self, cloud: str, before: Row | None, after: Fields) -> None: ...

    def control_written(self, cloud: str, before: Row | None, after: Fields) -> None: ...

    def acknowledged(self, cloud: str, message: Message) -> None: ...

    def parked(self, cloud: str, envelopes: Sequence[str]) -> None: ...

    def handled(self, cloud: str, upload: Upload) -> None: ...


@dataclass
class SimulatedCloud:
    """A cloud, and what is the matter with it.

    Attributes:
        skew_ms: How far its clock is ahead.
        is_gone: For good, with all that it held.
        are_functions_dead: Neither its workers nor its API run.
        lost_event_count: So many of the next objects are stored without an event.
    """

    name: str
    setting: Setting
    network: Network
    now_ms: Callable[[], int]
    observer: Observer
    skew_ms: int = 0
    is_gone: bool = False
    are_functions_dead: bool = False
    lost_event_count: int = 0
    services: dict[str, Service] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("store", "ledger", "control", "work", "parked"):
            self.services[name] = Service(f"{self.name} {name}", self.network)
        self.ledger, self.control = self.setting.ledger(), self.setting.ledger()
        self.bucket = MemoryObjectStore(bucket=BUCKET, clock_ms=self.clock_ms)
        self.bucket._put_count = 1000 * (1 + CLOUDS.index(self.name))  # versions of two clouds are never alike
        self.queue = MemoryWorkQueue(clock_ms=self.clock_ms)
        self.parked = MemoryWorkQueue(clock_ms=self.clock_ms)
        seen = self.observer
        self.served = Cloud(
            store=ServedStore(self.bucket, self.services["store"], cloud=self.name, stored=self.notify),
            ledger=ServedLedger(self.ledger, self.services["ledger"], wrote=partial(seen.ledger_written, self.name)),
            control=ServedLedger(
                self.control, self.services["control"], wrote=partial(seen.control_written, self.name)
            ),
            work=ServedQueue(self.queue, self.services["work"], acknowledged=partial(seen.acknowledged, self.name)),
            parked=ServedQueue(self.parked, self.services["parked"], sent=partial(seen.parked, self.name)),
        )
        self.site = self.setting.site(
            cloud=self.name,
            services=self.served,
            initial=Route(active=CLOUDS[0], order=CLOUDS),
            probe=self._probe(),
            clock_ms=self.clock_ms,
        )

    def clock_ms(self) -> int:
        return self.now_ms() + self.skew_ms

    @property
    def is_dead(self) -> bool:
        return self.is_gone or self.are_functions_dead

    def connect(self, peers: Mapping[str, Peer], *, gather: Gather, clouds: Mapping[str, "SimulatedCloud"]) -> None:
        """Build what needs the other clouds. `peers`: all, by name, this one as it is and the others by links."""
        self.peers = list(peers.values())
        others = [peer for peer in self.peers if peer.cloud != self.name]
        self.worker = self.setting.worker(
            pipeline=self._pipeline(clouds),
            work=self.served.work,
            parked=self.served.parked,
            parse=lambda body: [from_payload(json.loads(body))],
            owner=self.name,
            jitter=lambda: 0.5,
            hand_over=self.setting.hand_over(store=self.served.store, peers=others),
            tell=partial(_tell, others),
            control=self.served.control,
        )
        self.watch = self.setting.watch(
            site=self.site, peers=self.peers, policy=POLICY, gather=gather, clock_ms=self.clock_ms
        )

    def notify(self, info: ObjectInfo) -> None:
        """The cloud's own event of a stored object. It does not pass the services: the cloud itself sends it."""
        if self.lost_event_count:
            self.lost_event_count -= 1
            return
        self.queue.send([to_text(self.upload_of(info))])

    def upload_of(self, info: ObjectInfo) -> Upload:
        """The upload that an event tells of; unlike a listing, it knows the place in the key's history."""
        return Upload(
            upload_id=upload_id_of(cloud=self.name, bucket=BUCKET, key=info.key, version=info.version),
            cloud=self.name,
            bucket=BUCKET,
            key=info.key,
            version=info.version,
            size_bytes=info.size_bytes,
            sequencer=f"{int(info.version):08d}",
        )

    def heal(self) -> None:
        """Nothing is the matter any more, unless the cloud is gone for good."""
        for service in self.services.values():
            service.condition = Condition.UNUSABLE if self.is_gone else Condition.WELL
        self.are_functions_dead = False
        self.lost_event_count = 0

    def _probe(self) -> Probe:
        served = self.served
        return Probe(
            store=served.store,
            ledger=served.ledger,
            control=served.control,
            work=served.work,
            parked=served.parked,
            clock_ms=self.clock_ms,
        )

    def _pipeline(self, clouds: Mapping[str, "SimulatedCloud"]) -> Pipeline:
        return self.setting.pipeline(
            cloud=self.name,
            store=self.served.store,
            ledger=self.served.ledger,
            handle_upload=self._handle_upload,
            clock_ms=self.clock_ms,
            policy=RetryPolicy(attempt_count=ATTEMPT_COUNT, max_delay_s=MAX_DELAY_S),
            lease_margin_s=self.setting.lease_margin_s,
            fetch_url=partial(self._fetch_url, clouds),
            takeover_after_s=self.setting.takeover_after_s,
        )

    def _handle_upload(self, upload: Upload, stream: BinaryIO) -> dict[str, Any]:
        self.observer.handled(self.name, upload)
        if upload.key.endswith(REJECTED):
            raise UploadRejectedError("the name says so")
        return {"byte_count": len(stream.read())}

    @contextmanager
    def _fetch_url(self, clouds: Mapping[str, "SimulatedCloud"], url: str) -> Iterator[OpenObject | Absence]:
        """Read an object of another cloud's bucket, over the same link as its API."""
        cloud, key, version = json.loads(url)
        if self.network.links.get((self.name, cloud), Condition.WELL) is not Condition.WELL:
            raise ProviderUnusableError(f"{cloud}'s bucket cannot be reached")
        with clouds[cloud].served.store.open(key, version=version) as found:
            yield found


def put(cloud: SimulatedCloud, key: str, content: bytes) -> ObjectInfo | None:
    """Put an object straight into a cloud's bucket, as a user does."""
    return cloud.served.store.put(key, io.BytesIO(content), size_bytes=len(content))


def _tell(others: Sequence[Peer], record: Record) -> None:
    for peer in others:
        try:
            peer.absorb([record])
        except StepError:
            continue
