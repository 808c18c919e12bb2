"""Where a local server does not do as AWS does. A test that fails on one server holds on another, but for ELSEWHERE."""

_BOTH_BUCKETS = ("TestS3Versioned", "TestS3Unversioned")


def _in_both(*tests: str, reason: str) -> dict[str, str]:
    return {f"{bucket}::{test}": reason for bucket in _BOTH_BUCKETS for test in tests}


_UNLISTED = (
    "test_hostile_key_is_listed[a control character]",
    "test_hostile_key_is_listed[not a character]",
)

# Both servers fail here; tests/unit/aws/test_aws_object_store.py reads the listing as AWS writes it.
ELSEWHERE = set(_in_both(*_UNLISTED, reason=""))

DEVIATIONS: dict[str, dict[str, str]] = {
    "ministack": _in_both(*_UNLISTED, reason="lists keys without encoding-type=url, which XML cannot hold"),
    "moto": {
        **_in_both(*_UNLISTED, reason="lists keys without encoding-type=url, which XML cannot hold"),
        **_in_both(
            "test_hostile_key_is_only_a_name[a tab and a line break]",
            "test_hostile_key_is_listed[a tab and a line break]",
            reason="does not route a key with a line break",
        ),
        **dict.fromkeys(
            (
                "TestS3Versioned::test_pages_show_only_the_newest_version[1]",
                "TestS3Versioned::test_pages_show_only_the_newest_version[2]",
            ),
            "goes on with the older versions of KeyMarker",
        ),
    },
}
