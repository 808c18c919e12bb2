"""Where the operator and the upload client learn where the clouds are."""

import json
from pathlib import Path

import pytest

from handlers.failover.clouds import CloudsUnknownError, connect_peers, find_clouds

KEYS = {"current": "k1", "keys": {"k1": "ab" * 32}}
PEERS = {"aws": {"url": "https://a.example/api/"}, "gcp": {"url": "http://127.0.0.1:8080"}}


def test_clouds_of_a_file_and_of_the_environment(tmp_path: Path) -> None:
    """Both are read alike, in the order given; --peers stands above the environment, that above the default file."""
    file = tmp_path / "peers.json"
    file.write_text(json.dumps({"peers": PEERS, "keys": KEYS, "api_key": "secret"}))
    env = {"SLUICE_PEERS": json.dumps({"azure": PEERS["gcp"]}), "SLUICE_PEER_KEYS": json.dumps(KEYS)}

    of_file = find_clouds(env, path=str(file), default=tmp_path / "none")
    of_env = find_clouds(env, path=None, default=file)
    of_default = find_clouds({}, path=None, default=file)

    assert dict(of_file.urls) == {"aws": "https://a.example/api", "gcp": "http://127.0.0.1:8080"}
    assert list(of_env.urls) == ["azure"]
    assert of_default == of_file
    assert "secret" not in repr(of_file)
    assert [peer.sender for peer in connect_peers(of_file, clock_ms=lambda: 0)] == ["operator"] * 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "No such file"),
        ("{", "is no JSON"),
        ("[]", "must be a JSON object"),
        ("{}", "must name the clouds"),
        ('{"peers": {"aws": {"url": "ftp://x"}}}', "the url of aws: a URL must be https://host"),
        ('{"peers": {"aws": {}}}', "the url of aws: it is missing"),
        (json.dumps({"peers": {"aws": {"url": "http://x"}}, "keys": KEYS}), "SLUICE_PEERS.aws.url"),
        (json.dumps({"peers": PEERS, "keys": {"current": "k1", "keys": {"k1": "short"}}}), "SLUICE_PEER_KEYS.keys.k1"),
    ],
)
def test_clouds_that_cannot_be_read(tmp_path: Path, text: str | None, message: str) -> None:
    """The error names the file and the field, and quotes no key."""
    file = tmp_path / "peers.json"
    if text is not None:
        file.write_text(text)

    with pytest.raises(CloudsUnknownError, match=message) as raised:
        find_clouds({}, path=str(file))

    assert "short" not in str(raised.value)
    assert str(file) in str(raised.value)


def test_unknown_clouds_name_the_remedy(tmp_path: Path) -> None:
    """Without a word about where the clouds are, the error says how to say it; likewise without keys."""
    with pytest.raises(CloudsUnknownError, match=r"--peers FILE, or set SLUICE_PEERS and SLUICE_PEER_KEYS"):
        find_clouds({}, path=None, default=tmp_path / "none")
    without_keys = find_clouds({"SLUICE_PEERS": json.dumps(PEERS)}, path=None)
    with pytest.raises(CloudsUnknownError, match="has no peer keys"):
        connect_peers(without_keys, clock_ms=lambda: 0)
