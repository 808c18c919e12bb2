"""What each service answers when it is asked too much: status, headers and body, as its documentation has them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

_TOO_MUCH = "Too many requests (made by a drill)"
_JSON = "application/json"
_XML = "application/xml"


class Service(StrEnum):
    """Whose errors a fault proxy speaks."""

    S3 = "s3"
    SQS = "sqs"
    DYNAMODB = "dynamodb"
    GOOGLE = "google"
    AZURE_BLOB = "azure blob"
    AZURE_QUEUE = "azure queue"
    AZURE_TABLE = "azure table"
    API = "api"  # an HTTP API's gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottledAnswer:
    """One answer, without its length."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def raw(self) -> bytes:
        """The whole answer, which ends its connection."""
        headers = {**self.headers, "content-length": str(len(self.body)), "connection": "close"}
        lines = [f"HTTP/1.1 {self.status} {self.reason}", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


def throttled_answer(service: Service) -> ThrottledAnswer:
    """What the service says.

    Sources: S3 "Error responses"; SQS "Common errors" and its JSON protocol; DynamoDB "Error handling"; google.rpc.Code
    and Cloud Storage "HTTP status and error codes for JSON"; Azure Storage "Status and error codes"; API Gateway
    "Throttle requests to your HTTP APIs".
    """
    match service:
        case Service.S3:
            xml = f"<Error><Code>SlowDown</Code><Message>{_TOO_MUCH}</Message><RequestId>local</RequestId></Error>"
            return _answer(503, "Slow Down", _XML, xml)
        case Service.SQS:
            return _amazon_json("com.amazonaws.sqs#RequestThrottled", version="1.0")
        case Service.DYNAMODB:
            return _amazon_json("com.amazonaws.dynamodb.v20120810#ThrottlingException", version="1.0")
        case Service.GOOGLE:
            errors = [{"domain": "usageLimits", "reason": "rateLimitExceeded", "message": _TOO_MUCH}]
            error = {"code": 429, "message": _TOO_MUCH, "status": "RESOURCE_EXHAUSTED", "errors": errors}
            return _answer(429, "Too Many Requests", _JSON, json.dumps({"error": error}))
        case Service.AZURE_BLOB | Service.AZURE_QUEUE:
            xml = f"<Error><Code>ServerBusy</Code><Message>{_TOO_MUCH}</Message></Error>"
            return _azure(_XML, xml)
        case Service.AZURE_TABLE:
            message = {"lang": "en-US", "value": _TOO_MUCH}
            return _azure(_JSON, json.dumps({"odata.error": {"code": "ServerBusy", "message": message}}))
        case Service.API:
            return _answer(429, "Too Many Requests", _JSON, json.dumps({"message": "Too Many Requests"}))


def _amazon_json(name: str, *, version: str) -> ThrottledAnswer:
    body = json.dumps({"__type": name, "message": _TOO_MUCH})
    return _answer(400, "Bad Request", f"application/x-amz-json-{version}", body)


def _azure(content_type: str, body: str) -> ThrottledAnswer:
    return _answer(503, "The server is busy.", content_type, body, {"x-ms-error-code": "ServerBusy"})


def _answer(
    status: int, reason: str, content_type: str, body: str, headers: Mapping[str, str] | None = None
) -> ThrottledAnswer:
    sent = {"content-type": content_type, **(headers or {})}
    return ThrottledAnswer(status=status, reason=reason, headers=sent, body=body.encode())
