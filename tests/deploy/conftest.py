"""What all deployments of these tests share."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def short_polls() -> Iterator[None]:
    """The framework looks at a stack five times a second, not every five seconds: an emulator makes one at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLS_AWS_MONITORING_FREQUENCY", "200")
        yield
