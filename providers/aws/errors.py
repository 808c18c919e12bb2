"""What a failed call means: the only place that knows the SDK's error codes.

Messages name the operation, the object and the error's code, never its text, which may quote keys and signed URLs.
"""

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    FlexibleChecksumError,
    IncompleteReadError,
    ParamValidationError,
)
from botocore.exceptions import ConnectionError as ConnectFailedError
from botocore.exceptions import HTTPClientError as NoAnswerError
from urllib3.exceptions import HTTPError

from core.errors import (
    HandlingError,
    OutcomeUnknownError,
    ProviderUnusableError,
    StepError,
    TransientError,
    UploadRejectedError,
)
from core.ports import Absence

# What a call, or reading its streamed answer, may raise.
SDK_ERRORS = (BotoCoreError, ClientError, HTTPError)

# "Error responses" of the S3 API Reference, "Error handling" of the DynamoDB Developer Guide, "Common errors" of SQS.
_TRANSIENT_CODES = {
    *("SlowDown", "RequestTimeout", "OperationAborted", "ConditionalRequestConflict", "BadDigest", "IncompleteBody"),
    *("Throttling", "ThrottlingException", "RequestThrottled", "RequestLimitExceeded", "LimitExceededException"),
    *("ProvisionedThroughputExceededException", "TransactionInProgressException", "KmsThrottled", "OverLimit"),
    *("TransactionConflictException", "ReplicatedWriteConflictException", "PriorRequestNotComplete"),
    "IDPCommunicationError",  # AssumeRoleWithWebIdentity
}
_UNUSABLE_CODES = {
    *("NoSuchBucket", "ResourceNotFoundException", "QueueDoesNotExist", "NonExistentQueue", "PermanentRedirect"),
    *("AccessDeniedException", "UnrecognizedClientException", "IncompleteSignature", "MissingAuthenticationToken"),
    *("InvalidSignatureException", "ExpiredTokenException", "ExpiredToken", "InvalidToken", "OptInRequired"),
    "InvalidIdentityToken",  # AssumeRoleWithWebIdentity: the role does not trust it
    *("AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "InvalidAddress", "InvalidSecurity"),
}


def code_of(error: Exception) -> str:
    """The service's own code of an error, without the prefix that SQS gives to some; "" if the service gave none."""
    if not isinstance(error, ClientError):
        return ""
    return error.response.get("Error", {}).get("Code", "").removeprefix("AWS.SimpleQueueService.")


def status_of(error: Exception) -> int:
    """The HTTP status of an error, or 0."""
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) if isinstance(error, ClientError) else 0


def was_retried(error: Exception) -> bool:
    """Whether the SDK sent the request more than once. It does not tell of a call without any answer: perhaps."""
    if isinstance(error, ClientError):
        return error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0) > 0
    return isinstance(error, ConnectFailedError | NoAnswerError)


def translate(error: Exception, *, operation: str, subject: str, is_write: bool = False) -> StepError:
    """Say where the blame lies. Raise the result `from error`.

    Args:
        operation: Service and operation, as AWS names them.
        subject: What the call was about, without user data: a bucket, a row's id.
        is_write: Whether it matters that the call may have landed. After a second sending it may have, whatever the
            second one's answer was: the first one's may be lost.
    """
    code, status = code_of(error), status_of(error)
    text = f"AWS {operation} of {subject}: {code or type(error).__name__}"
    if is_write and (was_retried(error) or (status >= 500 and code not in _TRANSIENT_CODES)):
        return OutcomeUnknownError(text)
    if isinstance(error, ParamValidationError):
        return HandlingError(text)
    if isinstance(error, BotoCoreError | HTTPError):
        return TransientError(text) if _is_about_the_moment(error) else ProviderUnusableError(text)
    if code == "InvalidObjectState":
        return UploadRejectedError(f"{text} (it is archived: restore it, then redrive it)")
    if code in _TRANSIENT_CODES or code.startswith("Throttl") or status in (408, 409, 429) or status >= 500:
        return TransientError(text)
    if code in _UNUSABLE_CODES or code.startswith("KMS") or status in (301, 307, 401, 403):
        return ProviderUnusableError(text)
    return HandlingError(text)


def absence_of(error: Exception) -> Absence | None:
    """What S3 says of a version that it does not give, or None if it says something else."""
    match code_of(error), status_of(error):
        case ("NoSuchKey" | "NoSuchVersion", _) | (_, 405):  # 405: the version is a delete marker
            return Absence.MISSING
        case "InvalidArgument", 400:  # the version is none that S3 could have given
            return Absence.MISSING
        case _, 412:
            return Absence.REPLACED
    return None


def _is_about_the_moment(error: BotoCoreError | HTTPError) -> bool:
    # What remains cannot connect, has no credentials, or has no valid settings.
    return isinstance(error, NoAnswerError | IncompleteReadError | FlexibleChecksumError | HTTPError)
