"""Three clouds in virtual time, and what may be done to them."""

import io
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from core.errors import StepError
from core.evidence import report_failure
from core.ingest import in_order
from core.peer import Peer
from core.route import Route, read_route
from core.sweep import sweep
from core.switch import move
from core.ticket import Ticket
from tests.simulation.clouds.checks import NEVER_TOLD, Checks, Violation
from tests.simulation.clouds.cloud import SimulatedCloud, put
from tests.simulation.clouds.faults import Condition, Crashed, Fuse, Network
from tests.simulation.clouds.link import InTurn, Link
from tests.simulation.clouds.setting import CLOUDS, FUNCTION_S, MIN_AGE_S, STUCK_AGE_S, VISIBILITY_S, Setting
from tests.simulation.clouds.uploads import Sent

SLOW_S = 5  # how long a caller waits for an answer that does not come
FAIR_ROUND_S = 35
FAIR_ROUND_COUNT = 40  # whatever is not done by then is never done
_DRAIN_COUNT = 60  # batches in one fair round; more means that work makes work
_PERSON = "person"  # the operator's machine, a source of links as the clouds are


@dataclass
class World:
    """The state of everything. All chance comes from `chance`; without it nothing is left to chance."""

    setting: Setting = field(default_factory=Setting)
    chance: random.Random | None = None
    now_ms: int = 1_000_000
    trace: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.network = Network(wait=lambda: self.pass_time(SLOW_S))
        self.gather = InTurn(self.network, self.chance)
        self.checks = Checks()
        self.clouds = self.checks.clouds
        for name in CLOUDS:
            self.clouds[name] = SimulatedCloud(name, self.setting, self.network, lambda: self.now_ms, self.checks)
        for name, cloud in self.clouds.items():
            cloud.connect(self._links(name), gather=self.gather, clouds=self.clouds)
        self._person_peers = list(self._links(_PERSON).values())

    def _links(self, source: str) -> dict[str, Peer]:
        return {
            name: cloud.site
            if name == source
            else Link(cloud.site, self.network, source=source, is_dead=lambda cloud=cloud: cloud.is_dead)
            for name, cloud in self.clouds.items()
        }

    # What clients and users do.

    def upload(self, sent: Sent, *, at: str, failed: str = "") -> bool:
        """A client sends an upload through a cloud's API. Whether it got a receipt.

        Args:
            failed: The cloud that the client could not use before it came to this one.
        """
        cloud = self.clouds[at]
        if cloud.is_dead:
            return False
        self.checks.sent[sent.upload_id] = sent
        try:
            if failed:
                report_failure(cloud.served.control, cloud=failed, clouds=CLOUDS, at_ms=cloud.clock_ms())
            receipt = self.setting.ingest(
                self._ticket(sent, cloud),
                lambda: io.BytesIO(sent.content),
                peers=in_order(cloud.peers, self._route(cloud), own=at),
                copies=sent.copies,
                gather=self.gather,
            )
        except StepError as error:
            self.note(f"{at}: {sent.name} not acknowledged: {error}")
            return False
        self.note(f"{at}: {sent.name} acknowledged by {receipt.copies}")
        self.checks.receipt_given(sent, receipt)
        return True

    def _ticket(self, sent: Sent, cloud: SimulatedCloud) -> Ticket:
        return Ticket(
            upload_id=sent.upload_id,
            name=sent.name,
            size_bytes=len(sent.content),
            sha256=sent.sha256,
            home=self._route(cloud).active,
            accepted_at_ms=cloud.clock_ms(),
        )

    def _route(self, cloud: SimulatedCloud) -> Route:
        try:
            return read_route(cloud.served.control, initial=NEVER_TOLD)
        except StepError:
            return NEVER_TOLD

    def put_object(self, name: str, *, at: str, event: bool = True) -> None:
        """A user puts an object straight into a bucket; the cloud may fail to send its event."""
        cloud = self.clouds[at]
        content = f"content of {name}".encode()
        cloud.lost_event_count = 0 if event else 1
        try:
            put(cloud, name, content)
        except StepError:
            self.note(f"{at}: {name} may not be put")
        cloud.lost_event_count = 0
        info = cloud.bucket.find(name)
        if info is not None:
            upload_id = cloud.upload_of(info).upload_id
            self.checks.sent[upload_id] = Sent(upload_id=upload_id, name=name, content=content, copies=0)
            self.checks.owed[upload_id] = (at,)

    # What clouds do.

    def work(self, at: str, *, limit: int = 4) -> None:
        """A worker of a cloud receives some messages and works them off."""
        cloud = self.clouds[at]
        if cloud.is_dead:
            return
        try:
            messages = cloud.served.work.receive(limit=limit, wait_s=0, visibility_timeout_s=VISIBILITY_S)
            for message in messages:
                deadline_at_ms = cloud.clock_ms() + FUNCTION_S * 1000
                if cloud.worker.handle(message, deadline_at_ms=deadline_at_ms):
                    cloud.served.work.acknowledge(message)
        except StepError as error:
            self.note(f"{at}: worker stopped: {error}")

    def watch(self, at: str) -> None:
        """A cloud looks at all clouds, and may move the route."""
        cloud = self.clouds[at]
        if not cloud.is_dead:
            result = cloud.watch.run_round()
            self.checks.round_done(at, result)
            if result.switch:
                self.note(f"{at}: offered {result.switch.route}; done: {result.switch.is_done}")

    def reconcile(self, at: str) -> None:
        """A cloud merges all that the others have settled."""
        cloud = self.clouds[at]
        for peer in cloud.peers if not cloud.is_dead else ():
            if peer.cloud != at:
                try:
                    self.setting.pull(peer, cloud.served.ledger, after="", page_count=10)
                except StepError as error:
                    self.note(f"{at}: not reconciled with {peer.cloud}: {error}")

    def sweep(self, at: str) -> None:
        """A cloud looks for objects whose event never came."""
        cloud = self.clouds[at]
        if cloud.is_dead:
            return
        try:
            sweep(
                cloud=at,
                store=cloud.served.store,
                ledger=cloud.served.ledger,
                work=cloud.served.work,
                clock_ms=cloud.clock_ms,
                min_age_s=MIN_AGE_S,
                stuck_age_s=STUCK_AGE_S,
            )
        except StepError as error:
            self.note(f"{at}: sweep stopped: {error}")

    # What a person does.

    def routes(self) -> Mapping[str, Route]:
        """The routes that clouds hold, as a person's command reads them."""
        looks = self.gather({peer.cloud: peer.look for peer in self._person_peers}, needed=len(CLOUDS)).done
        return {name: look.route for name, look in looks.items() if look.route is not None}

    def move(self, change: Mapping[str, object], *, held: Mapping[str, Route] | None = None) -> None:
        """A person changes the route; with `held`, on the ground of routes that were read some time ago."""
        with self.checks.person_moves() as moved:
            try:
                switch = move(
                    self.routes() if held is None else held,
                    change,
                    reason="a person said so",
                    now_ms=self.now_ms,
                    peers=self._person_peers,
                    gather=self.gather,
                )
            except StepError as error:
                self.note(f"not moved: {error}")
                return
            self.note(f"a person offered {switch.route}; done: {switch.is_done}")
            if not self.network.late:  # or an earlier offer may still be under way
                moved(switch)

    # What happens to them.

    def pass_time(self, duration_s: int) -> None:
        self.now_ms += duration_s * 1000

    def redeliver(self, at: str) -> None:
        """A cloud's queue delivers again what is still being worked on."""
        for held in self.clouds[at].queue._messages.values():
            held.visible_at_ms = 0

    def set_link(self, source: str, target: str, condition: Condition) -> None:
        self.network.links[source, target] = condition

    def lose(self, name: str) -> None:
        """A cloud is gone for good, with all that it held."""
        self.clouds[name].is_gone = True
        self.clouds[name].heal()

    def run_late(self) -> None:
        """What nobody waited for any longer happens."""
        late, self.network.late[:] = list(self.network.late), []
        for task in late:
            try:
                task()
            except StepError as error:
                self.note(f"late: {error}")

    def under(self, fuse: Fuse | None, act: Callable[[], None]) -> None:
        """Do something under a fuse of its own."""
        network = self.network
        kept = network.fuse, network.gather_depth
        network.fuse, network.gather_depth = fuse, 0
        try:
            act()
        except Crashed:
            self.note("crashed")
        finally:
            network.fuse, network.gather_depth = kept

    def heal(self) -> None:
        """All that is not gone for good works again."""
        self.network.links.clear()
        for cloud in self.clouds.values():
            cloud.heal()

    def finish(self) -> None:
        """Let everything that is left happen, without crash or fault, and check how it ends."""
        self.heal()
        self.run_late()
        living = [name for name, cloud in self.clouds.items() if not cloud.is_gone]
        for round_count in range(FAIR_ROUND_COUNT):
            if not self.checks.problem() and (round_count > 3 or not self.checks.waiting()):
                return
            self.pass_time(FAIR_ROUND_S)
            for name in living:
                self.watch(name)
                self.sweep(name)
                self._drain(name)
                self.reconcile(name)
        raise Violation(f"in the end: {self.checks.problem()}")

    def _drain(self, name: str) -> None:
        queue = self.clouds[name].queue
        for _ in range(_DRAIN_COUNT):
            if not queue.depth().visible_count:
                return
            self.work(name, limit=10)
        raise Violation(f"{name}'s work makes ever more work")

    def note(self, text: str) -> None:
        self.trace.append(f"{self.now_ms / 1000 - 1000:9.1f} s  {text}")
