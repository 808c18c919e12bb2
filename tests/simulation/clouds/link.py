"""One cloud as another one reaches it: the real `core.site.Site` at the far end of a link that may misbehave."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO, TypeVar

from core.errors import OutcomeUnknownError, ProviderUnusableError, StepError, TransientError, UploadRejectedError
from core.gather import Gathered
from core.peer import Look, Peer, RecordPage
from core.ports import PresignedParts, PresignedPut, PutParts
from core.record import Record, State
from core.route import Route
from core.ticket import Ticket
from core.upload import Upload
from tests.simulation.clouds.faults import Condition, Crashed, Late, Network

Answer = TypeVar("Answer")


class Link:
    """Asks one cloud from another. What its function raises comes back as over HTTP: as the moment's fault."""

    def __init__(self, site: Peer, network: Network, *, source: str, is_dead: Callable[[], bool]) -> None:
        self.cloud = site.cloud
        self._site = site
        self._network = network
        self._ends = (source, site.cloud)
        self._is_dead = is_dead

    def keep(self, ticket: Ticket, body: BinaryIO) -> None:
        self._ask(lambda: self._site.keep(ticket, body))

    def presign(
        self, ticket: Ticket, *, content_type: str, valid_s: int, part_bytes: int = 0
    ) -> PresignedPut | PresignedParts:
        return self._ask(
            lambda: self._site.presign(ticket, content_type=content_type, valid_s=valid_s, part_bytes=part_bytes)
        )

    def confirm(self, ticket: Ticket, *, parts: PutParts | None = None) -> bool:
        return self._ask(lambda: self._site.confirm(ticket, parts=parts))

    def take_work(self, upload: Upload) -> State:
        return self._ask(lambda: self._site.take_work(upload))

    def look(self) -> Look:
        return self._ask(self._site.look)

    def offer_route(self, route: Route) -> Route:
        return self._ask(lambda: self._site.offer_route(route))

    def records(self, *, after: str, limit: int) -> RecordPage:
        return self._ask(lambda: self._site.records(after=after, limit=limit))

    def absorb(self, records: Sequence[Record]) -> int:
        return self._ask(lambda: self._site.absorb(records))

    def _ask(self, ask: Callable[[], Answer]) -> Answer:
        network = self._network
        network.burn()
        condition = network.links.get(self._ends, Condition.WELL)
        if condition is Condition.UNUSABLE or self._is_dead():
            raise ProviderUnusableError(f"{self.cloud} cannot be reached")
        if condition is Condition.LOSES_REQUESTS:
            raise OutcomeUnknownError(f"{self.cloud} did not answer")
        if condition is Condition.SLOW and network.gather_depth:
            raise Late
        answer = self._far(ask)
        if condition is Condition.SLOW:
            network.wait()
        if condition in (Condition.SLOW, Condition.LOSES_ANSWERS):
            raise OutcomeUnknownError(f"{self.cloud} did not answer")
        network.burn()
        return answer

    def _far(self, ask: Callable[[], Answer]) -> Answer:
        try:
            return ask()
        except UploadRejectedError:
            raise
        except StepError as error:
            raise TransientError(f"{self.cloud}: {error}") from error
        except Crashed:
            raise OutcomeUnknownError(f"{self.cloud}'s function crashed") from None


class InTurn:
    """Asks several clouds one after the other, as `core.gather.ThreadGather` does at once. It draws their order."""

    def __init__(self, network: Network, chance: random.Random | None) -> None:
        self._network = network
        self._chance = chance

    def __call__(
        self, tasks: Mapping[str, Callable[[], Answer]], *, needed: int, enough: int | None = None
    ) -> Gathered[Answer]:
        done: dict[str, Answer] = {}
        failed: dict[str, StepError] = {}
        for name in self._order(list(tasks), needed):
            if len(done) >= needed:
                break
            self._network.gather_depth += 1
            try:
                done[name] = tasks[name]()
            except StepError as error:
                failed[name] = error
            except Late:
                failed[name] = TransientError(f"{name} did not answer in time")
                self._network.late.append(tasks[name])
            finally:
                self._network.gather_depth -= 1
        return Gathered(done=done, failed=failed)

    def _order(self, names: list[str], needed: int) -> list[str]:
        first = names[:needed]  # these are asked at the same time, so any of them may be the quickest
        if self._chance is not None:
            self._chance.shuffle(first)
        return first + names[needed:]
