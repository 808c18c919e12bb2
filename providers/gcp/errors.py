"""What a failed call means: the only place that knows Google's error codes.

Messages name the operation, the object and the error's code, never its text, which may quote keys and signed URLs.
"""

from core.errors import HandlingError, OutcomeUnknownError, ProviderUnusableError, StepError, TransientError

# Reasons with which Cloud Storage answers 403 although it is about the moment ("HTTP status and error codes for JSON").
_LIMIT_CODES = {"rateLimitExceeded", "userRateLimitExceeded"}


class CallError(Exception):
    """One call of a Google API, its second sending included, that gave no answer or one that is an error.

    Attributes:
        status: The HTTP status, or 0 if there was no answer.
        code: Google's own code ("ALREADY_EXISTS", "NoSuchBucket"), or the name of the transport's error.
        may_have_landed: Whether the service may have done what was asked, although nobody said so.
        was_retried: Whether the request was sent twice; the first sending may then have landed as well.
        is_about_the_moment: Of a call without answer: whether the same call may work later.
    """

    def __init__(
        self,
        code: str,
        *,
        status: int = 0,
        may_have_landed: bool = False,
        was_retried: bool = False,
        is_about_the_moment: bool = False,
    ) -> None:
        super().__init__(f"{status} {code}")
        self.code = code
        self.status = status
        self.may_have_landed = may_have_landed
        self.was_retried = was_retried
        self.is_about_the_moment = is_about_the_moment


def translate(error: CallError, *, operation: str, subject: str, is_write: bool = False) -> StepError:
    """Say where the blame lies. Raise the result `from error`.

    Args:
        operation: Service and operation, as Google names them.
        subject: What the call was about, without user data: a bucket, a row's id.
        is_write: Whether it matters that the call may have landed.
    """
    text = f"Google {operation} of {subject}: {error.code or error.status}"
    if is_write and (error.may_have_landed or error.was_retried or error.status >= 500):
        return OutcomeUnknownError(text)
    if error.status == 0:
        return TransientError(text) if error.is_about_the_moment else ProviderUnusableError(text)
    if error.status in (408, 429) or error.status >= 500 or error.code in _LIMIT_CODES | {"ABORTED"}:
        return TransientError(text)
    if error.status in (301, 307, 401, 403, 404):
        return ProviderUnusableError(text)
    return HandlingError(text)
