"""Bodies of queue messages: text in base64 (Azure Functions' default), or plain text (what some senders do)."""

import base64
import binascii


def encode(body: str) -> str:
    """The text of a message with this body: base64, so that any text survives, and every consumer reads it."""
    return base64.b64encode(body.encode()).decode()


def decode(text: str) -> str:
    """The body of a message. What is no base64 of UTF-8 is taken as it is; JSON is never base64."""
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return text
