"""Messages in a dict."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock

from core.ports import Depth, Message


@dataclass(slots=True)
class _Held:
    body: str
    visible_at_ms: int = 0
    receive_count: int = 0


class MemoryWorkQueue:
    """A queue that behaves as SQS does: a message comes back when its visibility timeout ends."""

    def __init__(self, *, clock_ms: Callable[[], int]) -> None:
        self._clock_ms = clock_ms
        self._messages: dict[str, _Held] = {}
        self._sent_count = 0
        self._lock = Lock()

    def send(self, bodies: Sequence[str]) -> None:
        with self._lock:
            for body in bodies:
                self._sent_count += 1
                self._messages[str(self._sent_count)] = _Held(body)

    def receive(self, *, limit: int, wait_s: int, visibility_timeout_s: int) -> Sequence[Message]:
        """As the port says, but it never waits: time here does not pass by itself."""
        with self._lock:
            now_ms = self._clock_ms()
            ready = [(i, held) for i, held in self._messages.items() if held.visible_at_ms <= now_ms][:limit]
            for _, held in ready:
                held.receive_count += 1
                held.visible_at_ms = now_ms + visibility_timeout_s * 1000
            return [
                Message(
                    message_id=i, body=held.body, receipt=f"{i}/{held.receive_count}", receive_count=held.receive_count
                )
                for i, held in ready
            ]

    def acknowledge(self, message: Message) -> None:
        with self._lock:
            if self._held_by(message):
                del self._messages[message.message_id]

    def extend(self, message: Message, *, visibility_timeout_s: int) -> None:
        with self._lock:
            held = self._held_by(message)
            if held:
                held.visible_at_ms = self._clock_ms() + visibility_timeout_s * 1000

    def depth(self) -> Depth:
        with self._lock:
            now_ms = self._clock_ms()
            visible = sum(held.visible_at_ms <= now_ms for held in self._messages.values())
            return Depth(visible_count=visible, in_flight_count=len(self._messages) - visible)

    def _held_by(self, message: Message) -> _Held | None:
        held = self._messages.get(message.message_id)
        return held if held and held.receive_count == message.receive_count else None
