"""Three clouds in memory, each with a worker, that see each other as peers; any of them can be made to fail."""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.errors import ProviderUnusableError, StepError, UploadRejectedError
from core.gather import Answer, Gathered
from core.handover import HandOver
from core.ingest import Receipt, in_order, ingest
from core.peer import Peer
from core.pipeline import Pipeline
from core.ports import Cloud
from core.probe import Probe
from core.record import Record, from_fields
from core.retry import RetryPolicy
from core.route import Route
from core.site import Site
from core.ticket import Ticket
from core.upload import Upload
from core.votes import SwitchPolicy
from core.watch import Watch
from core.work_item import from_payload, to_text
from core.worker import Worker
from providers.memory.ledger import MemoryLedger
from providers.memory.object_store import MemoryObjectStore
from providers.memory.work_queue import MemoryWorkQueue

ORDER = ("aws", "gcp", "azure")
INITIAL = Route(active="aws", order=ORDER)
UPLOAD_ID = "11111111-2222-3333-4444-555555555555"
POLICY = SwitchPolicy(fail_count=2, recover_count=3, cool_down_s=60, flap_window_s=600)


def one_after_another(
    tasks: Mapping[str, Callable[[], Answer]], *, needed: int, enough: int | None = None
) -> Gathered[Answer]:
    """As `core.gather.ThreadGather`, without threads."""
    done: dict[str, Answer] = {}
    failed: dict[str, StepError] = {}
    for name, task in tasks.items():
        if len(done) == needed:
            break
        try:
            done[name] = task()
        except UploadRejectedError:
            raise
        except StepError as error:
            failed[name] = error
    return Gathered(done=done, failed=failed)


class Link:
    """A peer behind a line that can be cut."""

    def __init__(self, site: Site, is_cut: Callable[[], bool]) -> None:
        self.cloud = site.cloud
        self._site = site
        self._is_cut = is_cut

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            if self._is_cut():
                raise ProviderUnusableError(f"{self.cloud} does not answer")
            return getattr(self._site, name)(*arguments, **named)

        return call


@dataclass
class Clouds:
    """The clouds, one clock, and shortcuts to what tests ask. Those in `dead` answer nobody."""

    now_ms: int = 1_000_000_000
    dead: set[str] = field(default_factory=set)
    handled: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.services = {cloud: self._services(cloud) for cloud in ORDER}
        self.sites = {cloud: self._site(cloud) for cloud in ORDER}
        self.workers = {cloud: self._worker(cloud) for cloud in ORDER}
        self.watches = {
            cloud: Watch(
                site=self.sites[cloud],
                peers=self.peers_of(cloud),
                policy=POLICY,
                gather=one_after_another,
                clock_ms=lambda: self.now_ms,
            )
            for cloud in ORDER
        }

    def peers_of(self, own: str) -> list[Peer]:
        """All clouds as one of them sees them."""
        return [
            site if cloud == own else Link(site, lambda own=own, cloud=cloud: bool({own, cloud} & self.dead))
            for cloud, site in self.sites.items()
        ]  # type: ignore[misc]

    def ticket(self, content: bytes = b"content", **change: Any) -> Ticket:
        known = {"upload_id": UPLOAD_ID, "name": "a.txt", "size_bytes": len(content), "sha256": "", "home": "aws"}
        return Ticket(**{**known, "accepted_at_ms": self.now_ms, **change})

    def ingest(self, at: str, *, copies: int, content: bytes = b"content", **change: Any) -> Receipt:
        """What the API of one cloud does, and the event of each copy that then stands."""
        ticket = self.ticket(content, **change)
        peers = in_order(self.peers_of(at), INITIAL, own=at)
        receipt = ingest(ticket, lambda: io.BytesIO(content), peers=peers, copies=copies, gather=one_after_another)
        for cloud in receipt.copies:
            self.send_event(cloud, ticket.key)
        return receipt

    def send_event(self, cloud: str, key: str) -> Upload:
        """What the bucket's event tells of the object."""
        services = self.services[cloud]
        info = services.store.find(key)
        assert info is not None
        upload_id = key.split("/")[1] if key.startswith("u/") else f"id of {cloud} {key}"
        upload = Upload(upload_id=upload_id, cloud=cloud, bucket=services.store.bucket, key=key, version=info.version)
        services.work.send([to_text(upload)])
        return upload

    def work(self, cloud: str) -> list[bool]:
        """Let one cloud's worker take each message that is visible once; tells which were finished."""
        services, worker = self.services[cloud], self.workers[cloud]
        finished = []
        for message in services.work.receive(limit=10, wait_s=0, visibility_timeout_s=60):
            is_done = worker.handle(message, deadline_at_ms=self.now_ms + 60_000)
            if is_done:
                services.work.acknowledge(message)
            finished.append(is_done)
        return finished

    def record(self, cloud: str, upload_id: str = UPLOAD_ID) -> Record | None:
        row = self.services[cloud].ledger.get(upload_id)
        return from_fields(row.fields) if row else None

    def route(self, cloud: str) -> Route:
        look = self.sites[cloud].look()
        assert look.route is not None
        return look.route

    def watch(self, *clouds: str) -> None:
        """One round on each of these clouds, five seconds apart from the last."""
        self.now_ms += 5_000
        for cloud in clouds:
            self.watches[cloud].run_round()

    def _services(self, cloud: str) -> Cloud:
        def clock_ms() -> int:
            return self.now_ms

        return Cloud(
            store=MemoryObjectStore(bucket=f"{cloud}-bucket", clock_ms=clock_ms),
            ledger=MemoryLedger(),
            work=MemoryWorkQueue(clock_ms=clock_ms),
            parked=MemoryWorkQueue(clock_ms=clock_ms),
            control=MemoryLedger(),
        )

    def _site(self, cloud: str) -> Site:
        own = self.services[cloud]
        probe = Probe(
            store=own.store,
            ledger=own.ledger,
            control=own.control,
            work=own.work,
            parked=own.parked,
            clock_ms=lambda: self.now_ms,
            function_stale_s=10**6,
        )
        return Site(cloud=cloud, services=own, initial=INITIAL, probe=probe, clock_ms=lambda: self.now_ms)

    def _worker(self, cloud: str) -> Worker:
        own = self.services[cloud]
        others = [peer for peer in self.peers_of(cloud) if peer.cloud != cloud]

        def handle(upload: Upload, _stream: Any) -> None:
            self.handled.append((cloud, upload.upload_id))

        def tell(record: Record) -> None:
            for peer in others:
                if peer.cloud not in self.dead:
                    peer.absorb([record])

        pipeline = Pipeline(
            cloud=cloud,
            store=own.store,
            ledger=own.ledger,
            handle_upload=handle,
            clock_ms=lambda: self.now_ms,
            policy=RetryPolicy(),
            fetch_url=self._fetch_url,  # type: ignore[arg-type]
        )
        return Worker(
            pipeline=pipeline,
            work=own.work,
            parked=own.parked,
            parse=lambda body: [from_payload(json.loads(body))],
            owner=cloud,
            jitter=lambda: 0.5,
            hand_over=HandOver(store=own.store, peers=others),
            tell=tell,
            control=own.control,
        )

    def _fetch_url(self, url: str) -> Any:
        bucket, _, rest = url.removeprefix("memory://").partition("/")
        key, _, version = rest.partition("?version=")
        store = self.services[bucket.removesuffix("-bucket")].store
        return store.open(key, version=version.partition("&")[0])
