"""What a failed call means: the only place that knows the services' error codes.

Messages name the operation, the object and the error's code, never its text, which may quote keys and signed URLs.
"""

from core.errors import (
    HandlingError,
    OutcomeUnknownError,
    ProviderUnusableError,
    StepError,
    TransientError,
    UploadRejectedError,
)
from providers.azure.rest import NoAnswerError, NotSentError, RefusedError

# "Status and error codes" of the Storage Services REST API, common and of each service.
_TRANSIENT_CODES = {
    *("ServerBusy", "InternalError", "OperationTimedOut", "TableServerOutOfMemory", "Md5Mismatch", "Crc64Mismatch"),
    *("AccountBeingCreated", "TableBeingDeleted", "ContainerBeingDeleted", "QueueBeingDeleted", "IncompleteBody"),
}
_UNUSABLE_CODES = {
    *("ContainerNotFound", "TableNotFound", "QueueNotFound", "ResourceNotFound", "AccountIsDisabled"),
    *("ContainerDisabled", "QueueDisabled", "InvalidAuthenticationInfo", "AuthenticationFailed"),
}
_ARCHIVED = "BlobArchived"


def code_of(error: Exception) -> str:
    """The service's own code of an error; "" if there was no answer, or none in it."""
    return error.code if isinstance(error, RefusedError) else ""


def status_of(error: Exception) -> int:
    """The HTTP status of an error, or 0."""
    return error.status if isinstance(error, RefusedError) else 0


def was_resent(error: Exception) -> bool:
    """Whether the request was sent twice, so that the answer may be to the second one, and the first one has landed."""
    return isinstance(error, RefusedError) and error.was_resent


def translate(error: Exception, *, operation: str, subject: str, is_write: bool = False) -> StepError:
    """Say where the blame lies. Raise the result `from error`.

    Args:
        operation: Service and operation, as Azure names them.
        subject: What the call was about, without user data: a container, a row's id.
        is_write: Whether it matters that the call may have landed.
    """
    code, status = code_of(error), status_of(error)
    text = f"Azure {operation} of {subject}: {code or status or f'{type(error).__name__} {error}'}"
    if isinstance(error, NotSentError):
        return ProviderUnusableError(text)
    if isinstance(error, NoAnswerError):
        return OutcomeUnknownError(text) if is_write else TransientError(text)
    if is_write and (was_resent(error) or (status >= 500 and code != "ServerBusy")):
        return OutcomeUnknownError(text)
    if code == _ARCHIVED:
        return UploadRejectedError(f"{text} (it is archived: rehydrate it, then redrive it)")
    if code in _TRANSIENT_CODES or status in (408, 429) or status >= 500:
        return TransientError(text)
    if code in _UNUSABLE_CODES or status in (401, 403):
        return ProviderUnusableError(text)
    return HandlingError(text)
