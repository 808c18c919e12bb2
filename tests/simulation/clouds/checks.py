"""What must be true of three clouds: all along, and in the end."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from core.ingest import Receipt
from core.ports import Fields, Message, Row
from core.reconcile import SETTLED
from core.record import Record, State, from_fields
from core.route import ROW_ID, Route, majority_of, read_route, route_from_fields
from core.switch import Switch
from core.upload import OWN_PREFIX, Upload
from core.votes import Seen
from core.watch import Round
from tests.simulation.clouds.cloud import BUCKET, REJECTED, SimulatedCloud
from tests.simulation.clouds.setting import CLOUDS, POLICY
from tests.simulation.clouds.uploads import Sent

DONE = (State.RECORDED, State.GONE)
MESSAGES_MAX_COUNT = 40  # of one upload in one cloud
NEVER_TOLD = Route(active=CLOUDS[0], order=CLOUDS)


class Violation(BaseException):
    """Something happened that must never happen. No `except Exception` of the code under test may swallow it."""


@dataclass(slots=True)
class Checks:
    """Sees what happens in all clouds.

    Attributes:
        sent: By upload id, what clients and users have put.
        owed: By upload id, the clouds of which one living is enough for the upload to be owed a record.
        chosen: By epoch, the route that a majority held.
        pinned: The pinned route that a person was told of as done, and has not asked to change since.
        move_count: Changes of the route that persons have begun; `move_depth` of them are under way.
        calls: By upload id, how often the user's function was called.
    """

    clouds: dict[str, SimulatedCloud] = field(default_factory=dict)
    sent: dict[str, Sent] = field(default_factory=dict)
    owed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    chosen: dict[int, Route] = field(default_factory=dict)
    pinned: Route | None = None
    move_count: int = 0
    move_depth: int = 0
    calls: Counter[str] = field(default_factory=Counter)

    # What the clouds show.

    def ledger_written(self, cloud: str, before: Row | None, after: Fields) -> None:
        """A recorded row stays recorded, and only an earlier recording takes its place."""
        new = from_fields(after)
        if new.state is State.RECORDED and new.upload.upload_id in self.sent:
            self._check_record(cloud, new)
        if before is None:
            return
        old = from_fields(before.fields)
        if old.state is State.RECORDED and (new.state is not State.RECORDED or new.sighting > old.sighting):
            raise Violation(f"{cloud}: {_name(old)} was recorded, and then became {new.state} {new.recorded_by}")
        if old.state is State.RECORDED and old.recorded_by == new.recorded_by and old.owner != new.owner:
            raise Violation(f"{cloud}: {_name(old)} was recorded twice by {new.recorded_by}")

    def control_written(self, cloud: str, before: Row | None, after: Fields) -> None:
        """A cloud's epoch only goes up, an epoch has one route with a majority, and a pin holds."""
        if after["row_id"] != ROW_ID:
            return
        new = route_from_fields(after)
        old = route_from_fields(before.fields) if before else NEVER_TOLD
        if new.epoch <= old.epoch:
            raise Violation(f"{cloud} went from epoch {old.epoch} to {new.epoch}")
        holders = [name for name in self.clouds if name == cloud or self.route_of(name) == new]
        if len(holders) < majority_of(len(CLOUDS)):
            return
        if self.chosen.setdefault(new.epoch, new) != new:
            raise Violation(f"two routes of epoch {new.epoch} were held by a majority")
        if self.pinned and (new.active, new.pinned) != (self.pinned.active, True):
            raise Violation(f"{self.pinned.active} was pinned, and the route became {new.active}")

    def acknowledged(self, cloud: str, message: Message) -> None:
        """A message is forgotten only when some ledger knows what became of its upload, or it is parked."""
        upload = json.loads(message.body)["upload"]
        if upload["key"].startswith(OWN_PREFIX) or self._is_parked(upload["upload_id"]):
            return
        states = [record.state for record in self.records(upload["upload_id"]).values()]
        if not any(state in DONE for state in states):
            raise Violation(f"{cloud} acknowledged {upload['key'][-12:]}, which is {states or 'unknown'}")

    def parked(self, cloud: str, envelopes: Sequence[str]) -> None:
        """Nothing is parked but what the user's function rejects."""
        for envelope in map(json.loads, envelopes):
            if not json.loads(envelope["body"])["upload"]["key"].endswith(REJECTED):
                raise Violation(f"{cloud} parked an upload that nothing is wrong with: {envelope['reason']}")

    def handled(self, cloud: str, upload: Upload) -> None:
        self.calls[upload.upload_id] += 1

    # What the world tells.

    def receipt_given(self, sent: Sent, receipt: Receipt) -> None:
        """When a receipt is given, as many copies as it promises stand, each with a record."""
        standing = [
            name
            for name, cloud in self.clouds.items()
            if cloud.bucket.find(receipt.ticket.key) and cloud.ledger.get(sent.upload_id)
        ]
        if not set(receipt.copies) <= set(standing) or len(receipt.copies) < sent.copies:
            raise Violation(f"{sent.name}: {sent.copies} copies were acknowledged, and stand in {standing}")
        known = self.owed.get(sent.upload_id, ())
        self.owed[sent.upload_id] = tuple(sorted({*known, *receipt.copies}))

    def round_done(self, cloud: str, result: Round) -> None:
        """A cloud moves the active role by itself only when most clouds see the need, and one that most see well."""
        if result.switch is None:
            return
        held = [look.route for look in result.looks.values() if look.route is not None]
        if len(held) < majority_of(len(CLOUDS)):
            raise Violation(f"{cloud} saw {sorted(result.looks)} only, and moved the route")
        new, old = result.switch.route, max(held, key=lambda route: route.epoch)
        if new.active in {route.active for route in held}:
            return  # what most clouds have, or what was under way, is offered once more
        votes = {vote.voter: vote for vote in (*(look.vote for look in result.looks.values()), result.vote) if vote}
        seen = [vote.seen for vote in votes.values()]
        well_count = sum(each[new.active].ok_count > 0 for each in seen)
        need_count = sum(_suspects(each[old.active]) for each in seen)
        if CLOUDS.index(new.active) < CLOUDS.index(old.active):
            trusting_count = sum(each[new.active].ok_count >= POLICY.recover_count for each in seen)
            need_count = max(need_count, trusting_count)
        if min(well_count, need_count) < majority_of(len(CLOUDS)):
            raise Violation(f"{cloud} moved the route to {new}: {well_count} trust that, {need_count} see the need")

    @contextmanager
    def person_moves(self) -> Iterator[Callable[[Switch], None]]:
        """A person changes the route: what was pinned before may change. To be told of what came of it.

        With two persons at it at the same time, nobody knows whose word is the last.
        """
        self.pinned = None
        self.move_count += 1
        self.move_depth += 1
        number, is_alone = self.move_count, self.move_depth == 1

        def moved(switch: Switch) -> None:
            if switch.is_done and switch.route.pinned and is_alone and number == self.move_count:
                self.pinned = switch.route

        try:
            yield moved
        finally:
            self.move_depth -= 1

    # What must be so in the end.

    def problem(self) -> str:
        """What is not yet as it must end, or "" if all is."""
        living = [cloud for cloud in self.clouds.values() if not cloud.is_gone]
        for upload_id, sent in self.sent.items():
            found = self._problem_of(sent, [self.record(cloud, upload_id) for cloud in living])
            if found and any(not self.clouds[name].is_gone for name in self.owed.get(upload_id, ())):
                return f"{sent.name}: {found}"
        ledgers = [
            {row_id: row.fields for row_id, row in cloud.ledger._rows.items() if row.fields["state"] in SETTLED}
            for cloud in living
        ]
        if any(ledger != ledgers[0] for ledger in ledgers[1:]):
            return "the ledgers differ"
        waiting = [cloud for (_, source, cloud) in self.waiting() if not self.clouds[source].is_gone]
        return self._problem_of_routes(living) or (f"{waiting[0]} has work left" if waiting else "")

    def waiting(self) -> list[tuple[str, str, str]]:
        """The (upload id, cloud whose object it is, cloud where it waits) of all messages in living clouds' queues.

        A message of an object that is gone with its cloud waits for ever, if no copy of it is recorded.
        """
        uploads = [
            (json.loads(held.body)["upload"], name)
            for name, cloud in self.clouds.items()
            for held in cloud.queue._messages.values()
            if not cloud.is_gone
        ]
        found = [(u["upload_id"], u["cloud"], name) for u, name in uploads if not u["key"].startswith(OWN_PREFIX)]
        for one, count in Counter(found).items():
            if count > MESSAGES_MAX_COUNT:
                raise Violation(f"{count} messages of one upload wait in {one[2]}: work makes ever more work")
        return found

    def _problem_of(self, sent: Sent, records: list[Record | None]) -> str:
        for record in records:
            if sent.name.endswith(REJECTED):
                if record is None or record.state is not State.PARKED or not record.reason:
                    return f"rejected, and not parked: {record}"
                if not self._is_parked(sent.upload_id):
                    return "its message is not parked"
            elif record is None or record.state is not State.RECORDED:
                return f"not recorded: {record}"
        return ""

    def _problem_of_routes(self, living: list[SimulatedCloud]) -> str:
        routes = {self.route_of(cloud.name) for cloud in living}
        if len(routes) > 1:
            return f"the clouds hold different routes: {sorted(str(route) for route in routes)}"
        route = routes.pop()
        if self.clouds[route.active].is_gone and not route.pinned:
            return f"{route.active} is gone, and still active"
        return ""

    def route_of(self, cloud: str) -> Route:
        return read_route(self.clouds[cloud].control, initial=NEVER_TOLD)

    def records(self, upload_id: str) -> dict[str, Record]:
        found = {name: self.record(cloud, upload_id) for name, cloud in self.clouds.items()}
        return {name: record for name, record in found.items() if record is not None}

    def record(self, cloud: SimulatedCloud, upload_id: str) -> Record | None:
        row = cloud.ledger.get(upload_id)
        return from_fields(row.fields) if row else None

    def _check_record(self, cloud: str, record: Record) -> None:
        sent = self.sent[record.upload.upload_id]
        if record.sha256 != sent.sha256 or record.conflicts or record.facts != {"byte_count": len(sent.content)}:
            raise Violation(f"{cloud} recorded {sent.name} wrong: {record}")
        stored = self.clouds[record.upload.cloud].bucket.find(record.upload.key)
        place = f"{int(record.upload.version):08d}"
        if record.upload.bucket != BUCKET or stored is None or record.upload.sequencer not in ("", place):
            raise Violation(f"{cloud} recorded {sent.name} at a place that it does not have: {record.upload}")

    def _is_parked(self, upload_id: str) -> bool:
        return any(
            upload_id in held.body and json.loads(held.body)["reason"]
            for cloud in self.clouds.values()
            for held in cloud.parked._messages.values()
        )


def _suspects(seen: Seen) -> bool:
    return seen.fail_count >= POLICY.fail_count or seen.client_failure_count >= POLICY.client_failure_count


def _name(record: Record) -> str:
    return record.upload.key[-12:]
