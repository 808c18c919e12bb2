"""What is known to be wrong with the local servers."""

from tests.contract.deviations import DEVIATIONS, ELSEWHERE


def test_nothing_is_covered_nowhere() -> None:
    """What one server cannot show, another one shows, or a test that is named."""
    assert set(DEVIATIONS["ministack"]) & set(DEVIATIONS["moto"]) == ELSEWHERE
