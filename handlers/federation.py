"""Keeps the file in which another cloud's SDK looks for a token that says who this machine is.

    SLUICE_FEDERATION            where the token comes from, that is, where this machine stands: aws, azure or gcp
    SLUICE_FEDERATION_AUDIENCE   whom the token is for, as the target cloud was told (docs/federation.md)

The file itself stands in the target's own settings. It is there only as long as it is needed.
"""

import json
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from core.errors import ProviderUnusableError, StepError
from handlers.own_token import own_token

log = logging.getLogger("sluice")

# Azure's endpoint hands out the same token until 5 minutes before its end; the others' are good for longer.
_RENEW_S = 240.0

_TOKEN_FILE_SETTING = {"aws": "AWS_WEB_IDENTITY_TOKEN_FILE", "azure": "AZURE_FEDERATED_TOKEN_FILE"}
_STATIC_KEY_SETTING = {"aws": "AWS_ACCESS_KEY_ID", "azure": "SLUICE_STORAGE"}  # they win over the file


@contextmanager
def federated(env: Mapping[str, str], *, target: str, renew_s: float = _RENEW_S) -> Iterator[None]:
    """While it lasts, the file from which the target's SDK reads has a token that is good; nothing if none is wanted.

    Raises:
        StepError: The settings make no sense, or there is no token to begin with. A renewal that fails is only logged.
    """
    source, audience = env.get("SLUICE_FEDERATION", ""), env.get("SLUICE_FEDERATION_AUDIENCE", "")
    if not source:
        _require_file(env, target)
        yield
        return
    if not audience:
        raise ProviderUnusableError("SLUICE_FEDERATION needs SLUICE_FEDERATION_AUDIENCE")
    path, is_over = _token_file(env, target), Event()

    def renew() -> None:
        while not is_over.wait(renew_s):
            try:
                write_token_file(path, source=source, audience=audience, env=env)
            except StepError as error:
                log.warning("the identity for %s is not renewed: %s", target, error)

    write_token_file(path, source=source, audience=audience, env=env)
    thread = Thread(target=renew, name="federation", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
        path.unlink(missing_ok=True)


def write_token_file(path: Path, *, source: str, audience: str, env: Mapping[str, str]) -> None:
    """Fetch a token and write it, for this user only; a reader sees the old one or the new one, whole.

    Raises:
        StepError: The source gives none, or the file cannot be written.
    """
    token = own_token(source, audience=audience, env=env)
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made with mode 600
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(token)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise ProviderUnusableError(f"the token file {path} cannot be written: {error.strerror}") from error


def _require_file(env: Mapping[str, str], target: str) -> None:
    setting = _TOKEN_FILE_SETTING.get(target, "")
    if (
        env.get(setting) and not Path(env[setting]).is_file()
    ):  # botocore would fail with an error that is none of its own
        raise ProviderUnusableError(f"{setting} names no file, and SLUICE_FEDERATION does not say who writes it")


def _token_file(env: Mapping[str, str], target: str) -> Path:
    static = _STATIC_KEY_SETTING.get(target, "")
    if env.get(static):
        raise ProviderUnusableError(f"{static} is set, and a key comes before SLUICE_FEDERATION: unset one of them")
    if target == "gcp":
        return _google_token_file(env.get("GOOGLE_APPLICATION_CREDENTIALS", ""))
    setting = _TOKEN_FILE_SETTING[target]
    if not env.get(setting):
        raise ProviderUnusableError(f"SLUICE_FEDERATION needs {setting}: where {target} reads the token")
    return Path(env[setting])


def _google_token_file(configuration: str) -> Path:
    """The file that an external account's configuration names as the source of its token."""
    try:
        return Path(json.loads(Path(configuration).read_text())["credential_source"]["file"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        text = "GOOGLE_APPLICATION_CREDENTIALS names no configuration of an external account with a token file"
        raise ProviderUnusableError(text) from error
