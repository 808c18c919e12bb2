"""Who asks Google: the function's own service account, or one that another cloud's token may impersonate.

Sources: "How Application Default Credentials works", "Workload Identity Federation" (Google Cloud documentation).
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

from providers.gcp.errors import CallError

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class Identity:
    """Whoever this function or machine is, asked for when first needed and renewed before it ends."""

    def __init__(self, *, make_request: Callable[[], Any]) -> None:
        """`make_request` gives google-auth its transport, which is not imported before it is needed."""
        self._make_request = make_request
        self._lock = Lock()
        self._found: Any = None

    def token(self) -> str:
        from google.auth.exceptions import GoogleAuthError, TransportError

        try:
            with self._lock:
                found = self._find()
                if not found.valid:
                    found.refresh(self._make_request())
                return str(found.token)
        except GoogleAuthError as error:
            raise CallError(type(error).__name__, is_about_the_moment=isinstance(error, TransportError)) from error

    def account(self) -> str:
        """The service account's address: also of the one that an external account impersonates.

        Raises:
            CallError: It is no service account's identity, and Cloud Storage knows no signatures of others.
        """
        self.token()  # on Cloud Run it is known only afterwards
        names = (getattr(self._found, name, None) for name in ("signer_email", "service_account_email"))
        account = next(filter(None, names), "")
        if not account:
            raise CallError("NoServiceAccount")
        return str(account)

    def sign(self, content: bytes) -> bytes:
        """Sign with the account's key, or by asking IAM, which needs the role Service Account Token Creator."""
        from google.auth import iam
        from google.auth.exceptions import GoogleAuthError

        account = self.account()
        try:
            if hasattr(self._found, "sign_bytes"):
                return bytes(self._found.sign_bytes(content))
            return bytes(iam.Signer(self._make_request(), self._found, account).sign(content))  # type: ignore[no-untyped-call]
        except GoogleAuthError as error:
            raise CallError(type(error).__name__) from error

    def _find(self) -> Any:
        if self._found is None:
            self._found = _external_account() or _default_credentials()
        return self._found


def _external_account() -> Any:
    """The identity that another cloud vouches for with a file, or None if the environment names no such.

    `google.auth.default` would find it as well, but not without the package requests, which nothing here needs.
    """
    path = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS", "")
    try:
        found = json.loads(Path(path).read_text()) if path else {}
        is_ours = found["type"] == "external_account" and "file" in found["credential_source"]
    except (OSError, ValueError, KeyError, TypeError):
        return None  # whatever is wrong with it, the library says it better
    if not is_ours:
        return None
    from google.auth import identity_pool

    return identity_pool.Credentials.from_file(path, scopes=[_SCOPE])  # type: ignore[no-untyped-call]


def _default_credentials() -> Any:
    import google.auth

    found, _ = google.auth.default(scopes=[_SCOPE])
    return found
