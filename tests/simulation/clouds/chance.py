"""Long schedules of everything at once, drawn from one seed."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from core.route import Route
from tests.simulation.clouds.checks import Violation
from tests.simulation.clouds.cloud import REJECTED
from tests.simulation.clouds.faults import LINK_CONDITIONS, SERVICE_CONDITIONS, Condition, Fuse, crash
from tests.simulation.clouds.setting import CLOUDS, LEASE_MARGIN_S, Setting
from tests.simulation.clouds.uploads import Sent, api_upload
from tests.simulation.clouds.world import World

LENGTH = 60
JUMPS_S = (1, 10, 30, 70, 130)
_CRASH_SHARE = 0.1  # of operations
_INTRUSION_SHARE = 0.3
_CRASH_AFTER_INTRUSION_SHARE = 0.3
_NEAR_SHARE = 0.7  # of what intrudes: happens in the cloud whose operation it interrupts
_CALL_COUNT_MEAN = 8  # of calls before a fuse acts
_DEPTH_MAX = 2


@dataclass
class Chaos:
    """One schedule, the same for the same seed and setting."""

    seed: int
    setting: Setting = field(default_factory=Setting)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.world = World(setting=self.setting, chance=self.chance)
        self._sent: list[Sent] = []
        self._held: dict[str, Route] = {}
        self._last = self._near = ""
        self._may_lose = self.chance.random() < 0.5
        self._choices: list[Callable[[], None]] = []
        self._weights: list[int] = []
        for weight, choice in self._alphabet():
            self._weights.append(weight)
            self._choices.append(choice)
        for cloud in self.world.clouds.values():
            cloud.skew_ms = self.chance.randint(0, LEASE_MARGIN_S * 1000)

    def run(self) -> World:
        """Run the schedule to its end.

        Raises:
            Violation: Told with the seed that leads to it.
        """
        try:
            for _ in range(LENGTH):
                self._step(depth=0)
            self.world.note("all is healed")
            self.world.finish()
        except Violation as violation:
            raise Violation(f"SEED={self.seed}: {violation}") from None
        return self.world

    def _alphabet(self) -> list[tuple[int, Callable[[], None]]]:
        return [
            (10, self._upload),
            (5, self._upload_again),
            (6, self._put),
            (26, self._work),
            (14, self._watch),
            (5, self._reconcile),
            (3, self._sweep),
            (12, self._pass_time),
            (7, self._redeliver),
            (3, self._run_late),
            (8, self._break_service),
            (7, self._break_link),
            (3, self._kill_functions),
            (6, self._heal),
            (1, self._lose),
            (3, self._move),
            (3, self._remember_routes),
            (4, self._move_on_old_ground),
        ]

    def _step(self, *, depth: int) -> None:
        act = self.chance.choices(self._choices, self._weights)[0]
        self.world.under(self._fuse(depth), act)

    def _fuse(self, depth: int) -> Fuse | None:
        draw = self.chance.random()
        call_count = 1 + int(self.chance.expovariate(1 / _CALL_COUNT_MEAN))
        if draw < _CRASH_SHARE:
            return Fuse(call_count, crash)
        if draw < _CRASH_SHARE + _INTRUSION_SHARE and depth < _DEPTH_MAX:
            fuse = Fuse(call_count, lambda: self._intrude(fuse, depth + 1))
            return fuse
        return None

    def _intrude(self, fuse: Fuse, depth: int) -> None:
        """Other operations happen before the one that runs goes on; it may crash some calls later."""
        near, self._near = self._near, self._last
        self.world.note(f"{'  ' * depth}meanwhile …")
        for _ in range(self.chance.randint(1, 4)):
            self._step(depth=depth)
        self.world.note(f"{'  ' * depth}… goes on")
        self._near = near
        if self.chance.random() < _CRASH_AFTER_INTRUSION_SHARE:
            fuse.call_count, fuse.act = self.chance.randint(1, 4), crash

    def _cloud(self) -> str:
        if self._near and self.chance.random() < _NEAR_SHARE:
            self._last = self._near
        else:
            self._last = self.chance.choice(CLOUDS)
        return self._last

    def _note(self, text: str) -> None:
        self.world.note(text)

    def _upload(self) -> None:
        name = f"{len(self._sent)}.{REJECTED if self.chance.random() < 0.1 else 'dat'}"
        sent = api_upload(name, copies=self.chance.choice((1, 2, 2)))
        self._sent.append(sent)
        at = self._cloud()
        self._note(f"{at}: upload {name}, copies={sent.copies}")
        self.world.upload(sent, at=at)

    def _upload_again(self) -> None:
        if self._sent:
            sent, at, failed = self.chance.choice(self._sent), self._cloud(), self._cloud()
            self._note(f"{at}: upload {sent.name} again")
            self.world.upload(sent, at=at, failed=failed)

    def _put(self) -> None:
        at, event = self._cloud(), self.chance.random() < 0.7
        name = f"put-{self.chance.getrandbits(32):08x}.{REJECTED if self.chance.random() < 0.1 else 'dat'}"
        self._note(f"{at}: {name} is put{'' if event else ', and its event is lost'}")
        self.world.put_object(name, at=at, event=event)

    def _work(self) -> None:
        at = self._cloud()
        self._note(f"{at}: works")
        self.world.work(at)

    def _watch(self) -> None:
        at = self._cloud()
        self._note(f"{at}: watches")
        self.world.watch(at)

    def _reconcile(self) -> None:
        at = self._cloud()
        self._note(f"{at}: reconciles")
        self.world.reconcile(at)

    def _sweep(self) -> None:
        at = self._cloud()
        self._note(f"{at}: sweeps")
        self.world.sweep(at)

    def _pass_time(self) -> None:
        self.world.pass_time(self.chance.choice(JUMPS_S))

    def _redeliver(self) -> None:
        at = self._cloud()
        self._note(f"{at}: delivers again")
        self.world.redeliver(at)

    def _run_late(self) -> None:
        self._note(f"{len(self.world.network.late)} late calls happen")
        self.world.run_late()

    def _break_service(self) -> None:
        service = self.chance.choice(list(self.world.clouds[self._cloud()].services.values()))
        condition = self.chance.choice(SERVICE_CONDITIONS)
        if not self._is_gone(service.name.split()[0]):
            self._note(f"{service.name}: {condition}")
            service.condition = condition

    def _break_link(self) -> None:
        source, target = self.chance.choice((*CLOUDS, "person")), self._cloud()
        condition = self.chance.choice(LINK_CONDITIONS)
        self._note(f"{source} to {target}: {condition}")
        self.world.set_link(source, target, condition)

    def _kill_functions(self) -> None:
        at = self._cloud()
        self._note(f"{at}: functions are dead")
        self.world.clouds[at].are_functions_dead = True

    def _heal(self) -> None:
        at = self._cloud()
        self._note(f"{at}: heals, and its links")
        self.world.clouds[at].heal()
        for ends in list(self.world.network.links):
            if at in ends:
                self.world.set_link(*ends, Condition.WELL)

    def _lose(self) -> None:
        if self._may_lose:
            self._may_lose = False
            at = self._cloud()
            self._note(f"{at}: gone for good")
            self.world.lose(at)

    def _move(self) -> None:
        change = self._change()
        self._note(f"a person asks for {change}")
        self.world.move(change)

    def _remember_routes(self) -> None:
        self._held = dict(self.world.routes())
        self._note("a controller reads the routes, and sleeps")

    def _move_on_old_ground(self) -> None:
        if self._held:
            change = self._change()
            self._note(f"the controller wakes up, and asks for {change}")
            self.world.move(change, held=self._held)

    def _change(self) -> dict[str, object]:
        return self.chance.choice(
            (
                {"active": self._cloud()},
                {"pinned": True},
                {"pinned": True, "active": self._cloud()},
                {"pinned": False},
                {"pinned": False, "active": self._cloud()},
            )
        )

    def _is_gone(self, cloud: str) -> bool:
        return self.world.clouds[cloud].is_gone
