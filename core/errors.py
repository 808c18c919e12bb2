"""Errors by where the blame lies, because that decides what happens next. Adapters raise them; `core.retry` decides.

An adapter reports a fact about one call. "The provider is down" is a judgement over many calls and belongs to the core.
"""


class StepError(Exception):
    """One step of the work failed. The message says provider, operation and object, and never quotes user data."""


class TransientError(StepError):
    """The moment is to blame: the same call may work later, so wait, however long it takes."""


class OutcomeUnknownError(TransientError):
    """As its parent, and a write may have landed all the same: read, then decide."""


class ProviderUnusableError(StepError):
    """The provider is to blame: no call will work until it recovers (denied, unreachable, not set up)."""


class HandlingError(StepError):
    """The upload or the code is to blame, and nobody can tell which: try a set number of times, then park."""


class UploadRejectedError(StepError):
    """The upload is to blame: it would fail on every provider and every time, so park it with the reason."""
