"""Messages of Pub/Sub as the core sees them, whichever way they came: pulled, pushed, or in a CloudEvent."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from core.ports import Message

_PUBLISHED = "google.cloud.pubsub.topic.v1.messagePublished"


def messages_of(event: Any) -> list[Message]:
    """What a function is called with: a CloudEvent, or the JSON of a push, of a pull's answer, or of any other event.

    A message that was pushed has no receipt; the answer to the push acknowledges it.
    """
    if not isinstance(event, dict):
        event = {**event.get_attributes(), "data": event.get_data()}
    if isinstance(event.get("receivedMessages"), list):
        return [message_from_pull(entry) for entry in event["receivedMessages"]]
    pushed = event.get("data") if event.get("type") == _PUBLISHED else event
    if isinstance(pushed, dict) and isinstance(pushed.get("message"), dict):
        return [_from_push(pushed)]
    body = json.dumps(event, sort_keys=True, ensure_ascii=False)
    return [Message(message_id=f"direct-{_digest(body)}", body=body, receipt="", receive_count=1)]


def _from_push(pushed: Mapping[str, Any]) -> Message:
    body = body_of(pushed["message"])
    return Message(
        message_id=str(pushed["message"].get("messageId") or f"direct-{_digest(body)}"),
        body=body,
        receipt="",
        receive_count=_count(pushed.get("deliveryAttempt")),
    )


def message_from_pull(entry: Mapping[str, Any]) -> Message:
    """A ReceivedMessage ({"ackId", "message", "deliveryAttempt"}), as JSON has it."""
    return Message(
        message_id=entry["message"]["messageId"],
        body=body_of(entry["message"]),
        receipt=entry.get("ackId", ""),
        receive_count=_count(entry.get("deliveryAttempt")),
    )


def body_of(message: Mapping[str, Any]) -> str:
    """A PubsubMessage as one text: its data alone, or the whole as a push has it where it is more than a text."""
    if not message.get("attributes"):
        try:
            return base64.b64decode(message.get("data", ""), validate=True).decode()
        except (ValueError, TypeError):
            pass  # it is no text; whoever parses it says so
    return json.dumps({"message": message}, ensure_ascii=False)


def to_pull(messages: Sequence[Message]) -> dict[str, Any]:
    """The answer of a pull that gives these messages."""
    return {
        "receivedMessages": [
            {
                "ackId": message.receipt,
                "message": {
                    "data": base64.b64encode(message.body.encode()).decode(),
                    "messageId": message.message_id,
                },
                "deliveryAttempt": message.receive_count,
            }
            for message in messages
        ]
    }


def _count(delivery_attempt: Any) -> int:
    # Absent where the subscription has no dead-letter policy.
    return delivery_attempt if isinstance(delivery_attempt, int) and delivery_attempt > 0 else 1


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
