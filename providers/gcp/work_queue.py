"""Messages in a topic of Pub/Sub and in one pull subscription of it."""

import base64
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from core.batches import batches
from core.ports import Depth, Message
from providers.gcp.clients import GoogleApi
from providers.gcp.errors import CallError, translate
from providers.gcp.messages import message_from_pull

_BATCH_COUNT = 1000  # "Quotas and limits": a publish request has up to 1,000 messages and 10 MB
_BATCH_BYTES = 7_000_000  # base64 adds a third
_ACK_DEADLINE_MAX_S = 600  # "ModifyAckDeadlineRequest", Pub/Sub RPC reference
_DEPTH_WINDOW_S = 360  # Cloud Monitoring samples each minute and shows a sample up to 4 minutes later
_METRIC = "pubsub.googleapis.com/subscription/"


class PubSubWorkQueue:
    """One queue: `topic` takes messages, `subscription` gives them.

    Pub/Sub counts deliveries only where the subscription has a dead-letter policy; elsewhere `receive_count` is 1. It
    counts them approximately.
    """

    def __init__(self, *, project: str, topic: str, subscription: str, api: GoogleApi, monitoring: GoogleApi) -> None:
        self._project = project
        self._topic = f"projects/{project}/topics/{topic}"
        self._subscription = f"projects/{project}/subscriptions/{subscription}"
        self._api = api
        self._monitoring = monitoring

    def send(self, bodies: Sequence[str]) -> None:
        for batch in batches(bodies, max_count=_BATCH_COUNT, max_bytes=_BATCH_BYTES):
            messages = [{"data": base64.b64encode(body.encode()).decode()} for body in batch]
            try:
                self._api.call("POST", f"/v1/{self._topic}:publish", body={"messages": messages})
            except CallError as error:
                raise translate(error, operation="Pub/Sub publish", subject=self._topic) from error

    def receive(self, *, limit: int, wait_s: int, visibility_timeout_s: int) -> Sequence[Message]:
        """As the port says. A message that is lost on its way here comes again after its deadline."""
        received = self._pull(limit, wait_s)
        if received:
            # A pull takes no timeout; until this call the subscription's own ack deadline holds.
            self._modify([entry["ackId"] for entry in received], visibility_timeout_s)
        return [message_from_pull(entry) for entry in received]

    def acknowledge(self, message: Message) -> None:
        if message.receipt:  # else it was pushed: the answer to the push acknowledges it
            self._post("acknowledge", {"ackIds": [message.receipt]})

    def extend(self, message: Message, *, visibility_timeout_s: int) -> None:
        """As the port says; of a pushed message nothing, because its subscription's retry policy sets the wait."""
        if message.receipt:
            self._modify([message.receipt], visibility_timeout_s)

    def depth(self) -> Depth:
        """As the port says, some minutes late. Pub/Sub itself tells no counts, only Cloud Monitoring does."""
        total = self._gauge("num_undelivered_messages")
        in_flight = min(total, self._gauge("num_outstanding_messages"))
        return Depth(visible_count=total - in_flight, in_flight_count=in_flight)

    def _pull(self, limit: int, wait_s: int) -> Sequence[Any]:
        body = {"maxMessages": limit, **({} if wait_s else {"returnImmediately": True})}
        give_up_at_s = time.monotonic() + wait_s
        while True:
            left_s = give_up_at_s - time.monotonic()
            try:
                answer = self._api.call(
                    "POST", f"/v1/{self._subscription}:pull", body=body, read_timeout_s=left_s if wait_s else 10
                )
            except CallError as error:
                if wait_s and error.code == "ReadTimeoutError":
                    return []
                raise translate(error, operation="Pub/Sub pull", subject=self._subscription) from error
            received: Sequence[Any] = answer.get("receivedMessages", [])
            if received or give_up_at_s - time.monotonic() <= 0.1:
                return received

    def _modify(self, ack_ids: Sequence[str], timeout_s: int) -> None:
        deadline_s = min(timeout_s, _ACK_DEADLINE_MAX_S)
        self._post("modifyAckDeadline", {"ackIds": list(ack_ids), "ackDeadlineSeconds": deadline_s})

    def _post(self, method: str, body: Mapping[str, Any]) -> None:
        try:
            self._api.call("POST", f"/v1/{self._subscription}:{method}", body=body)
        except CallError as error:
            raise translate(error, operation=f"Pub/Sub {method}", subject=self._subscription) from error

    def _gauge(self, name: str) -> int:
        """The newest sample of a metric, or 0 without one."""
        now = datetime.now(UTC)
        subscription = self._subscription.rpartition("/")[2]
        query = {
            "filter": f'metric.type = "{_METRIC}{name}" AND resource.labels.subscription_id = "{subscription}"',
            "interval.startTime": f"{now - timedelta(seconds=_DEPTH_WINDOW_S):%Y-%m-%dT%H:%M:%SZ}",
            "interval.endTime": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        }
        try:
            found = self._monitoring.call("GET", f"/v3/projects/{self._project}/timeSeries", query=query)
        except CallError as error:
            raise translate(error, operation="Monitoring timeSeries.list", subject=self._subscription) from error
        newest = [series["points"][0] for series in found.get("timeSeries", []) if series.get("points")]
        return sum(int(point["value"]["int64Value"]) for point in newest)
