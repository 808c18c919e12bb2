"""How our stand-in for Pub/Sub pushes: one request for each message, again with growing pauses until it is accepted."""

import base64
import json
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from drills.gcp.pubsub_messages import Delivery, PubSubMessages

_POLL_S = 0.02
_PUSH_CONCURRENCY = 8
_DEFAULT_BACKOFF_S = (0.1, 60.0)  # without a retry policy "as soon as possible"; a loop without any pause helps nobody
_PUSH_OK = (102, 200, 201, 202, 204)  # "Receive messages": everything else is a refusal


class Pusher:
    """Pushes what is due, over as many connections at once as there are threads."""

    def __init__(self, messages: PubSubMessages) -> None:
        self._messages = messages
        self._threads = ThreadPoolExecutor(_PUSH_CONCURRENCY, thread_name_prefix="push")
        self._free = threading.Semaphore(_PUSH_CONCURRENCY)

    def push_for_ever(self) -> None:
        """Push until the process ends."""
        while True:
            busy = False
            for subscription in self._messages.subscriptions():
                while subscription.push_config.push_endpoint and self._free.acquire(blocking=False):
                    deliveries = self._messages.take(subscription, 1)
                    if not deliveries:
                        self._free.release()
                        break
                    busy = True
                    self._threads.submit(self._push, subscription, deliveries[0])
            if not busy:
                time.sleep(_POLL_S)

    def _push(self, subscription: Any, delivery: Delivery) -> None:
        try:
            request = urllib.request.Request(  # noqa: S310 (an address that the drill gave)
                subscription.push_config.push_endpoint,
                data=json.dumps(_push_body(subscription, delivery)).encode(),
                headers={"content-type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=subscription.ack_deadline_seconds) as answer:  # noqa: S310
                is_ok = answer.status in _PUSH_OK
        except (OSError, ValueError):
            is_ok = False
        finally:
            self._free.release()
        if is_ok:
            self._messages.acknowledge([delivery.ack_id])
        else:
            self._messages.put_off(delivery.ack_id, _backoff_s(subscription, delivery.attempt), is_out=False)


def _backoff_s(subscription: Any, attempt: int) -> float:
    shortest_s, longest_s = _DEFAULT_BACKOFF_S
    if subscription.HasField("retry_policy"):
        policy = subscription.retry_policy
        shortest_s = policy.minimum_backoff.ToMilliseconds() / 1000
        longest_s = policy.maximum_backoff.ToMilliseconds() / 1000
    return min(longest_s, shortest_s * 2.0 ** min(attempt - 1, 16))


def _push_body(subscription: Any, delivery: Delivery) -> dict[str, Any]:
    """The body of a wrapped push, with both spellings of its names as Pub/Sub has them."""
    message = delivery.message
    at = datetime.fromtimestamp(message.publish_time.ToMilliseconds() / 1000, UTC)
    published = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    wrapped = {
        "data": base64.b64encode(message.data).decode(),
        "messageId": message.message_id,
        "message_id": message.message_id,
        "publishTime": published,
        "publish_time": published,
    }
    if message.attributes:
        wrapped["attributes"] = dict(message.attributes)
    body: dict[str, Any] = {"message": wrapped, "subscription": subscription.name}
    if subscription.dead_letter_policy.dead_letter_topic:
        body["deliveryAttempt"] = delivery.attempt
    return body
