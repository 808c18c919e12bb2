"""The settings of a function, from its environment. providers/<cloud>/ sets them; README.md lists them."""

from collections.abc import Mapping
from dataclasses import dataclass

from core.errors import ProviderUnusableError
from core.retry import RetryPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a function works, the same on every cloud.

    Attributes:
        local_dir: Folder of the embedded store, or "" to use the cloud's own services.
        concurrency_count: How many messages of one batch are worked at once.
        timeout_s: How long the function may run, where the cloud does not tell it at each call.
    """

    cloud: str
    local_dir: str
    policy: RetryPolicy
    lease_margin_s: int
    concurrency_count: int
    timeout_s: int


def read_settings(env: Mapping[str, str]) -> Settings:
    """Read the settings that every cloud has.

    Raises:
        ProviderUnusableError: One is missing or makes no sense; the message names it.
    """
    return Settings(
        cloud=required(env, "SLUICE_CLOUD"),
        local_dir=env.get("SLUICE_LOCAL_DIR", ""),
        policy=RetryPolicy(attempt_count=whole_number(env, "SLUICE_ATTEMPT_COUNT", 5, low=1, high=100)),
        lease_margin_s=whole_number(env, "SLUICE_LEASE_MARGIN_S", 10, low=1, high=3600),
        concurrency_count=whole_number(env, "SLUICE_CONCURRENCY", 4, low=1, high=64),
        timeout_s=whole_number(env, "SLUICE_TIMEOUT_S", 60, low=3, high=3600),
    )


def required(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "")
    if not value:
        raise ProviderUnusableError(f"{name} is not set; serverless.yml sets it, or set it in the environment")
    return value


def required_with_peers(env: Mapping[str, str], name: str) -> str:
    """What a cloud needs only among others, as the control table; "" where it has no peers."""
    return required(env, name) if env.get("SLUICE_PEERS") else env.get(name, "")


def whole_number(env: Mapping[str, str], name: str, default: int, *, low: int, high: int) -> int:
    text = env.get(name, "") or str(default)
    if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
        raise ProviderUnusableError(f"{name} is {text!r}; it must be a whole number from {low} to {high}")
    return int(text)
