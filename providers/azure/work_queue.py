"""Messages in a queue of Queue Storage."""

import re
import time
from collections import OrderedDict
from collections.abc import Sequence
from urllib.parse import quote

from core.ports import Depth, Message
from providers.azure.errors import code_of, translate
from providers.azure.message_text import decode, encode
from providers.azure.rest import CALL_ERRORS, Storage, xml_text

_MESSAGE = re.compile(r"<QueueMessage>(.*?)</QueueMessage>", re.DOTALL)
_XML = {"Content-Type": "application/xml"}
_NEVER = "-1"  # else a message is deleted after seven days

_POLL_MIN_S, _POLL_MAX_S = 0.05, 1.0
_PEEK_COUNT = 32  # the most that a Peek Messages gives

# A receipt that is no longer the latest, or whose message is gone.
_STALE_CODES = {"PopReceiptMismatch", "MessageNotFound", "InvalidQueryParameterValue"}

_RENEWED_COUNT = 10_000


class StorageWorkQueue:
    """One queue. Extending gives a message another receipt, which is remembered here, so that the first stays good."""

    def __init__(self, *, queue: str, client: Storage) -> None:
        self._queue = queue
        self._client = client
        # A message and the receipt that it came with: its latest receipt. Azurite gives all messages of one answer the
        # same receipt, and the documentation of Azure does not say that they differ.
        self._renewed: OrderedDict[tuple[str, str], str] = OrderedDict()

    def send(self, bodies: Sequence[str]) -> None:
        for body in bodies:
            xml = f"<QueueMessage><MessageText>{encode(body)}</MessageText></QueueMessage>"
            try:
                self._client.call("POST", self._messages, query={"messagettl": _NEVER}, headers=_XML, body=xml.encode())
            except CALL_ERRORS as error:
                raise translate(error, operation="Put Message", subject=self._subject) from error

    def receive(self, *, limit: int, wait_s: int, visibility_timeout_s: int) -> Sequence[Message]:
        """As the port says. The service does not wait for messages, so this asks again, ever more rarely."""
        give_up_at_s = time.monotonic() + wait_s
        pause_s = _POLL_MIN_S
        while True:
            messages = self._take(limit, visibility_timeout_s)
            left_s = give_up_at_s - time.monotonic()
            if messages or left_s <= 0:
                return messages
            time.sleep(min(pause_s, left_s))
            pause_s = min(2 * pause_s, _POLL_MAX_S)

    def acknowledge(self, message: Message) -> None:
        self._settle("DELETE", message, query={}, operation="Delete Message")
        self._renewed.pop((message.message_id, message.receipt), None)

    def extend(self, message: Message, *, visibility_timeout_s: int) -> None:
        query = {"visibilitytimeout": str(visibility_timeout_s)}
        receipt = self._settle("PUT", message, query=query, operation="Update Message")
        if receipt:
            self._renewed[message.message_id, message.receipt] = receipt
            while len(self._renewed) > _RENEWED_COUNT:
                self._renewed.popitem(last=False)

    def depth(self) -> Depth:
        """As the port says. The service counts all messages together, and shows the first 32 visible ones."""
        try:
            answer = self._client.call("GET", f"/{self._queue}", query={"comp": "metadata"})
            peeked = self._client.call("GET", self._messages, query={"peekonly": "true", "numofmessages": "32"})
        except CALL_ERRORS as error:
            raise translate(error, operation="Get Queue Metadata", subject=self._subject) from error
        total_count = int(answer.headers["x-ms-approximate-messages-count"])
        visible_count = len(_MESSAGE.findall(peeked.body.decode()))
        if visible_count == _PEEK_COUNT:
            visible_count = max(visible_count, total_count)
        return Depth(visible_count=visible_count, in_flight_count=max(0, total_count - visible_count))

    @property
    def _messages(self) -> str:
        return f"/{self._queue}/messages"

    @property
    def _subject(self) -> str:
        return f"queue {self._queue}"

    def _take(self, limit: int, visibility_timeout_s: int) -> list[Message]:
        query = {"numofmessages": str(limit), "visibilitytimeout": str(visibility_timeout_s)}
        try:
            answer = self._client.call("GET", self._messages, query=query)
        except CALL_ERRORS as error:
            raise translate(error, operation="Get Messages", subject=self._subject) from error
        return [_from_xml(xml) for xml in _MESSAGE.findall(answer.body.decode())]

    def _settle(self, method: str, message: Message, *, query: dict[str, str], operation: str) -> str:
        """Delete or update a message; gives its new receipt, "" if there is none."""
        if not message.receipt:
            return ""  # a direct invocation: no queue has it
        query = query | {"popreceipt": self._renewed.get((message.message_id, message.receipt), message.receipt)}
        path = f"{self._messages}/{quote(message.message_id, safe='')}"
        try:
            answer = self._client.call(method, path, query=query)
        except CALL_ERRORS as error:
            if code_of(error) not in _STALE_CODES:
                raise translate(error, operation=operation, subject=self._subject) from error
            return ""
        return answer.headers.get("x-ms-popreceipt", "")


def _from_xml(xml: str) -> Message:
    return Message(
        message_id=_element(xml, "MessageId"),
        body=decode(_element(xml, "MessageText")),
        receipt=_element(xml, "PopReceipt"),
        receive_count=int(_element(xml, "DequeueCount")),
    )


def _element(text: str, name: str) -> str:
    return xml_text(text.partition(f"<{name}>")[2].partition(f"</{name}>")[0])
