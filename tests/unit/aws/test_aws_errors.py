"""Where the blame lies for each failure of the SDK."""

import pytest
from botocore import exceptions as sdk

from core.errors import (
    HandlingError,
    OutcomeUnknownError,
    ProviderUnusableError,
    StepError,
    TransientError,
    UploadRejectedError,
)
from providers.aws.errors import translate

URL = "https://secret.example/key?X-Amz-Signature=0"


def refusal(code: str, status: int, *, retried: int = 0) -> sdk.ClientError:
    answer = {
        "Error": {"Code": code, "Message": f"no: {URL}"},
        "ResponseMetadata": {"HTTPStatusCode": status, "RetryAttempts": retried},
    }
    return sdk.ClientError(answer, "GetObject")  # type: ignore[arg-type]


READS = [
    (refusal("SlowDown", 503), TransientError),
    (refusal("InternalError", 500), TransientError),
    (refusal("500", 500), TransientError),
    (refusal("RequestTimeout", 400), TransientError),
    (refusal("ThrottlingException", 400), TransientError),
    (refusal("ProvisionedThroughputExceededException", 400), TransientError),
    (refusal("ThrottledInSomeNewWay", 400), TransientError),
    (refusal("ConditionalRequestConflict", 409), TransientError),
    (refusal("TooManyRequests", 429), TransientError),
    (refusal("RequestThrottled", 403), TransientError),
    (refusal("AccessDenied", 403), ProviderUnusableError),
    (refusal("AccessDeniedException", 400), ProviderUnusableError),
    (refusal("ExpiredTokenException", 400), ProviderUnusableError),
    (refusal("SignatureDoesNotMatch", 403), ProviderUnusableError),
    (refusal("NoSuchBucket", 404), ProviderUnusableError),
    (refusal("ResourceNotFoundException", 400), ProviderUnusableError),
    (refusal("AWS.SimpleQueueService.NonExistentQueue", 400), ProviderUnusableError),
    (refusal("PermanentRedirect", 301), ProviderUnusableError),
    (refusal("KMS.DisabledException", 400), ProviderUnusableError),
    (refusal("InvalidObjectState", 403), UploadRejectedError),
    (refusal("KeyTooLongError", 400), HandlingError),
    (refusal("ValidationException", 400), HandlingError),
    (sdk.ParamValidationError(report="Invalid length for parameter Key"), HandlingError),
    (sdk.NoCredentialsError(), ProviderUnusableError),
    (sdk.NoRegionError(), ProviderUnusableError),
    (sdk.CredentialRetrievalError(provider="p", error_msg="m"), ProviderUnusableError),
    (sdk.EndpointConnectionError(endpoint_url=URL), ProviderUnusableError),
    (sdk.ConnectTimeoutError(endpoint_url=URL), ProviderUnusableError),
    (sdk.SSLError(endpoint_url=URL, error="e"), ProviderUnusableError),
    (sdk.ReadTimeoutError(endpoint_url=URL), TransientError),
    (sdk.ConnectionClosedError(endpoint_url=URL), TransientError),
    (sdk.IncompleteReadError(actual_bytes=1, expected_bytes=2), TransientError),
    (sdk.ResponseStreamingError(error="e"), TransientError),
]

WRITES = [
    (refusal("InternalError", 500), OutcomeUnknownError),
    (refusal("ServiceUnavailable", 503), OutcomeUnknownError),
    (refusal("SlowDown", 503), TransientError),
    (refusal("ThrottlingException", 400), TransientError),
    (refusal("ThrottlingException", 400, retried=1), OutcomeUnknownError),
    (refusal("AccessDenied", 403), ProviderUnusableError),
    (refusal("ValidationException", 400), HandlingError),
    (sdk.ReadTimeoutError(endpoint_url=URL), OutcomeUnknownError),
    (sdk.ConnectionClosedError(endpoint_url=URL), OutcomeUnknownError),
    (sdk.EndpointConnectionError(endpoint_url=URL), OutcomeUnknownError),
    (sdk.NoCredentialsError(), ProviderUnusableError),
]


def _id(value: object) -> str:
    if isinstance(value, sdk.ClientError):
        return str(value.response["Error"]["Code"])
    return value.__name__ if isinstance(value, type) else type(value).__name__


@pytest.mark.parametrize(("error", "kind"), READS, ids=_id)
def test_blame_for_a_read(error: Exception, kind: type[StepError]) -> None:
    """Each failure of a read is one kind of error, which names operation and object, and no more."""
    translated = translate(error, operation="S3 GetObject", subject="bucket in")

    assert type(translated) is kind
    assert str(translated).startswith("AWS S3 GetObject of bucket in: ")
    assert "secret" not in str(translated)
    assert "Signature=" not in str(translated)


@pytest.mark.parametrize(("error", "kind"), WRITES, ids=_id)
def test_blame_for_a_write(error: Exception, kind: type[StepError]) -> None:
    """A write that may have landed is of unknown outcome; one that surely has not is as a read."""
    assert type(translate(error, operation="DynamoDB PutItem", subject="row k", is_write=True)) is kind
