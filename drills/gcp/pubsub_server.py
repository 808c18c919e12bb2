"""Our stand-in for Pub/Sub: topics, subscriptions and messages in SQLite, pulled or pushed.

`python -m drills.gcp.pubsub_server --grpc-port P --http-port P --file FILE`

It is not Google's: Google's emulator needs gcloud and Java, and loses everything when it is killed. What both do is
shown by tests/drills/gcp. A message comes again when its ack deadline ends or its push fails, and so may come twice at
once, as in reality. It goes to the dead-letter topic after as many deliveries as its subscription allows. Not here:
ordering, filters, seek, streaming pull, OIDC tokens.
Unlike Pub/Sub it also answers for Cloud Monitoring, exactly and at once, and counts pulled messages as outstanding.
"""

import argparse
import re
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf import empty_pb2
from google.pubsub_v1 import types

from drills.gcp.pubsub_messages import PubSubMessages
from drills.gcp.pubsub_push import Pusher
from drills.gcp.rpc_server import Rpc, RpcError, serve

_PUBLISHER, _SUBSCRIBER = "google.pubsub.v1.Publisher", "google.pubsub.v1.Subscriber"
_TOPIC, _SUBSCRIPTION = "projects/[^/:]+/topics/[^/:]+", "projects/[^/:]+/subscriptions/[^/:]+"
_POLL_S = 0.02
_PULL_WAIT_S = 5.0
_DEFAULT_ACK_DEADLINE_S = 10


class PubSubServer:
    """The methods, on what is kept."""

    def __init__(self, messages: PubSubMessages) -> None:
        self._messages = messages

    def create_topic(self, topic: Any) -> Any:
        self._messages.add_topic(topic.name)
        return topic

    def get_topic(self, request: Any) -> Any:
        self._messages.require_topic(request.topic)
        return types.Topic.pb()(name=request.topic)

    def publish(self, request: Any) -> Any:
        self._messages.require_topic(request.topic)
        if any(not message.data and not message.attributes for message in request.messages):
            raise RpcError("INVALID_ARGUMENT", "a message has neither data nor attributes")
        return types.PublishResponse.pb()(message_ids=self._messages.publish(request.topic, request.messages))

    def create_subscription(self, subscription: Any) -> Any:
        self._messages.require_topic(subscription.topic)
        subscription.ack_deadline_seconds = subscription.ack_deadline_seconds or _DEFAULT_ACK_DEADLINE_S
        self._messages.add_subscription(subscription)
        return subscription

    def modify_push_config(self, request: Any) -> Any:
        subscription = self._messages.subscription(request.subscription)
        subscription.push_config.CopyFrom(request.push_config)
        self._messages.replace_subscription(subscription)
        return empty_pb2.Empty()

    def pull(self, request: Any) -> Any:
        subscription = self._messages.subscription(request.subscription)
        if subscription.push_config.push_endpoint:
            raise RpcError("FAILED_PRECONDITION", "the subscription pushes")
        give_up_at_s = time.monotonic() + (0 if request.return_immediately else _PULL_WAIT_S)
        deliveries = self._messages.take(subscription, request.max_messages)
        while not deliveries and time.monotonic() < give_up_at_s:
            time.sleep(_POLL_S)
            deliveries = self._messages.take(subscription, request.max_messages)
        answer = types.PullResponse.pb()()
        for delivery in deliveries:
            received = answer.received_messages.add(ack_id=delivery.ack_id)
            received.message.CopyFrom(delivery.message)
            if subscription.dead_letter_policy.dead_letter_topic:
                received.delivery_attempt = delivery.attempt
        return answer

    def acknowledge(self, request: Any) -> Any:
        self._messages.subscription(request.subscription)
        self._messages.acknowledge(request.ack_ids)
        return empty_pb2.Empty()

    def modify_ack_deadline(self, request: Any) -> Any:
        self._messages.subscription(request.subscription)
        if not 0 <= request.ack_deadline_seconds <= 600:
            raise RpcError("INVALID_ARGUMENT", "the ack deadline is not within 0 and 600 s")
        for ack_id in request.ack_ids:
            self._messages.put_off(ack_id, request.ack_deadline_seconds, is_out=request.ack_deadline_seconds > 0)
        return empty_pb2.Empty()

    def metric(self, path: str, query: Mapping[str, str]) -> Any:
        """Cloud Monitoring's timeSeries.list, for two metrics of one subscription."""
        wanted = re.search(
            r'subscription/(num_\w+)".*subscription_id = "([^"]+)"', query.get("filter", ""), flags=re.DOTALL
        )
        if not re.fullmatch("/v3/projects/[^/]+/timeSeries", path) or not wanted:
            return {} if path == "/" else None
        name = f"{path.removeprefix('/v3/').removesuffix('/timeSeries')}/subscriptions/{wanted[2]}"
        count = self._messages.count(name, only_out=wanted[1] == "num_outstanding_messages")
        return {"timeSeries": [{"points": [{"value": {"int64Value": str(count)}}]}]}

    def rpcs(self) -> list[Rpc]:
        topic, subscription, empty = types.Topic, types.Subscription, empty_pb2.Empty
        ack, modify, push = types.AcknowledgeRequest, types.ModifyAckDeadlineRequest, types.ModifyPushConfigRequest
        at = rf"/v1/(?P<subscription>{_SUBSCRIPTION})"
        publisher = (
            ("CreateTopic", topic, topic.pb(), self.create_topic, ("PUT", rf"/v1/(?P<name>{_TOPIC})")),
            ("GetTopic", types.GetTopicRequest, topic.pb(), self.get_topic, ("GET", rf"/v1/(?P<topic>{_TOPIC})")),
            (
                "Publish",
                types.PublishRequest,
                types.PublishResponse.pb(),
                self.publish,
                ("POST", rf"/v1/(?P<topic>{_TOPIC}):publish"),
            ),
        )
        subscriber = (
            (
                "CreateSubscription",
                subscription,
                subscription.pb(),
                self.create_subscription,
                ("PUT", rf"/v1/(?P<name>{_SUBSCRIPTION})"),
            ),
            ("Pull", types.PullRequest, types.PullResponse.pb(), self.pull, ("POST", rf"{at}:pull")),
            ("Acknowledge", ack, empty, self.acknowledge, ("POST", rf"{at}:acknowledge")),
            ("ModifyAckDeadline", modify, empty, self.modify_ack_deadline, ("POST", rf"{at}:modifyAckDeadline")),
            ("ModifyPushConfig", push, empty, self.modify_push_config, ("POST", rf"{at}:modifyPushConfig")),
        )
        return [
            Rpc(service=service, name=name, request=request.pb(), answer=answer, run=run, http=http)
            for service, methods in ((_PUBLISHER, publisher), (_SUBSCRIBER, subscriber))
            for name, request, answer, run, http in methods
        ]


def main() -> None:
    """Serve until the process ends."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--grpc-port", type=int, required=True)
    parser.add_argument("--http-port", type=int, required=True)
    parser.add_argument("--file", type=Path, required=True)
    options = parser.parse_args()
    messages = PubSubMessages(options.file)
    threading.Thread(target=Pusher(messages).push_for_ever, daemon=True).start()
    server = PubSubServer(messages)
    serve(server.rpcs(), grpc_port=options.grpc_port, http_port=options.http_port, extra_get=server.metric)


if __name__ == "__main__":
    main()
