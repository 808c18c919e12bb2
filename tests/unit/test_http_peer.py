"""What HttpPeer makes of good and bad networks and peers; fetching what was handed over; telling the others."""

import io
import logging
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from core.errors import OutcomeUnknownError, ProviderUnusableError, StepError, TransientError, UploadRejectedError
from core.ports import Absence, OpenObject
from core.route import Route
from core.signing import PeerKeys
from handlers.peers.fetch_url import FetchUrl
from handlers.peers.http_peer import HttpPeer
from handlers.peers.settings import read_peer_settings
from handlers.peers.tell import Tell
from tests.contract.peer_contract import recorded, ticket, upload
from tests.unit.api_in_memory import KEYS, ORDER, MemoryApi, peer_at, serving

SECRET_TEXT = "what nobody may see"


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """The servers log what these tests provoke."""
    caplog.set_level(logging.CRITICAL, logger="werkzeug")


def answering(status: int, body: str = "{}", **headers: str) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    """An application that gives one answer to everything."""
    kind = headers.pop("content_type", "application/json")

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        Request(environ).get_data()
        return Response(body, status=status, headers=headers, content_type=kind)(environ, start_response)

    return app


@contextmanager
def raw_server(answer: bytes | None) -> Iterator[str]:
    """A server that reads the request, sends these bytes and hangs up; with None it says nothing until the end."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def run() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65_536)
                if answer is None:
                    ended.wait(20)
                else:
                    connection.sendall(answer)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        ended.set()
        thread.join(20)


def peer(url: str, **change: Any) -> HttpPeer:
    return peer_at(url, api=MemoryApi(), **change)


def failures_of(url: str, **change: Any) -> list[type[BaseException]]:
    """How a write and a read fail."""
    failures: list[type[BaseException]] = []
    for call in (
        lambda each: each.keep(ticket(), io.BytesIO(b"the content")),
        lambda each: each.records(after="", limit=1),
    ):
        with pytest.raises(StepError) as caught:
            call(peer(url, **change))
        assert SECRET_TEXT not in str(caught.value)
        failures.append(caught.type)
    return failures


def test_nobody_listens() -> None:
    """Without a connection nothing was sent: the provider is to blame."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"

    assert failures_of(url) == [ProviderUnusableError, ProviderUnusableError]


def test_silence() -> None:
    """Whoever takes a write and says nothing may have done it; a read may simply be tried again."""
    with raw_server(None) as url, pytest.raises(OutcomeUnknownError):
        peer(url, timeout_s=0.2).take_work(upload())
    with raw_server(None) as url, pytest.raises(TransientError) as caught:
        peer(url, timeout_s=0.2).look()
    assert caught.type is TransientError


@pytest.mark.parametrize(
    "answer",
    [b"", b"\0\1\2 no HTTP\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}"],
    ids=["nothing", "garbage", "cut short"],
)
def test_half_an_answer(answer: bytes) -> None:
    """What is no whole answer tells nothing of what was done."""
    with raw_server(answer) as url, pytest.raises(OutcomeUnknownError):
        peer(url).take_work(upload())


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_moments_fault(status: int) -> None:
    """Of these answers the moment is to blame."""
    with serving(answering(status, SECRET_TEXT)) as url:
        assert failures_of(url) == [TransientError, TransientError]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, "", "text/plain"),
        (404, SECRET_TEXT, "text/html"),
        (422, '{"type": "https://sluice.invalid/problems/other-upload"}', "text/plain"),
        (422, f'{{"type": "https://elsewhere.test/{SECRET_TEXT}"}}', "application/problem+json"),
        (413, '{"type": "https://sluice.invalid/problems/too-large"}', "application/problem+json"),
        (302, "", "text/html"),
        (200, SECRET_TEXT, "application/json"),
        (200, "[]", "application/json"),
        (200, '{"records": [{"wire": 99}], "after": ""}', "application/json"),
    ],
)
def test_peer_is_not_set_up(status: int, body: str, kind: str) -> None:
    """An answer that means nothing to us, or a refusal that is not of the upload, is the provider's fault."""
    with serving(answering(status, body, content_type=kind, Location="http://127.0.0.1:9/")) as url:
        failures = failures_of(url)

    assert set(failures) == {ProviderUnusableError}


def test_upload_is_to_blame() -> None:
    """A problem whose type says that the upload would fail everywhere rejects it."""
    body = f'{{"type": "https://sluice.invalid/problems/other-upload", "title": "{SECRET_TEXT}"}}'
    with serving(answering(422, body, content_type="application/problem+json")) as url:
        assert failures_of(url) == [UploadRejectedError, UploadRejectedError]


def test_endless_answer_is_not_read() -> None:
    """An answer above the limit is given up."""
    with (
        serving(answering(200, '{"records": [], "after": "' + "x" * 3_000_000 + '"}')) as url,
        pytest.raises(TransientError),
    ):
        peer(url).records(after="", limit=1)


def test_another_cloud_at_the_url() -> None:
    """A peer is not taken for another one, whose votes would count twice."""
    api = MemoryApi(cloud="aws")
    with serving(api.app) as url, pytest.raises(ProviderUnusableError):
        replace(peer(url, sender="gcp"), cloud="gcp").look()


def test_short_body_is_not_sent() -> None:
    """A copy that is not of its ticket's size is no copy."""
    with pytest.raises(TransientError, match="11 bytes"):
        peer("http://127.0.0.1:9").keep(ticket(), io.BytesIO(b"short"))


def test_keys_can_be_changed_one_after_the_other() -> None:
    """A peer that signs with the other live key is believed."""
    api = MemoryApi()
    with serving(api.app) as url:
        rotated = peer_at(url, api=api, keys=PeerKeys(current="k2", secrets=KEYS.secrets))

        assert rotated.offer_route(Route(active="gcp", order=ORDER, epoch=1)).epoch == 1


def test_url_is_fetched() -> None:
    """The object's bytes and size come from the URL, and whether our own code derived it."""
    app = answering(200, "content", **{"x-amz-meta-sluice-derived-from": "id"})
    with serving(app) as url, FetchUrl(origins=(url,), timeout_s=5)(f"{url}/a?b=c") as found:
        assert isinstance(found, OpenObject)
        assert (found.info.size_bytes, found.info.derived_from, found.body.read()) == (7, "id", b"content")


@pytest.mark.parametrize(("status", "failure"), [(403, ProviderUnusableError), (503, TransientError)])
def test_url_that_gives_nothing(status: int, failure: type[StepError]) -> None:
    """An expired URL and a moment's fault are told apart; a missing object is an answer."""
    with serving(answering(status)) as url, pytest.raises(failure), FetchUrl(origins=(url,), timeout_s=5)(url):
        pass
    with serving(answering(404)) as url, FetchUrl(origins=(url,), timeout_s=5)(url) as found:
        assert found is Absence.MISSING


def test_redirect_is_not_followed() -> None:
    """A redirect could lead anywhere."""
    led_to = []
    with serving(lambda environ, start: led_to.append(1) or answering(200)(environ, start)) as trap:
        with serving(answering(302, Location=f"{trap}/secret")) as url:
            with pytest.raises(ProviderUnusableError), FetchUrl(origins=(url,), timeout_s=5)(url):
                pass

    assert not led_to


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data/",
        "http://objects.aws.test/a",
        "https://objects.aws.test.evil.test/a",
        "https://objects.aws.test@evil.test/a",
        "https://user:word@objects.aws.test/a",
        "https://objects.aws.test:8443/a",
        "https://objects.aws.test\\@evil.test/",
        "https://objects.aws.test/a\r\nX: y",
        "ftp://objects.aws.test/a",
        "//objects.aws.test/a",
        "https://[::1",
        "",
    ],
)
def test_foreign_url_is_not_fetched(url: str) -> None:
    """Only https (http on this machine) and only origins of peers."""
    with pytest.raises(UploadRejectedError), FetchUrl(origins=("https://objects.aws.test",), timeout_s=1)(url):
        pass


def test_all_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """A peer that cannot be told does not keep the others from being told."""
    caplog.set_level(logging.WARNING, logger="sluice")
    first, second = MemoryApi(cloud="gcp"), MemoryApi(cloud="gcp")
    told = recorded()
    with serving(first.app) as url:
        dead = replace(peer("http://127.0.0.1:9"), cloud="azure")

        Tell(peers=[dead, peer_at(url, api=first), second.site], clock_ms=lambda: 0)(told)

    assert first.site.absorb([told]) == second.site.absorb([told]) == 0
    assert "is not told" in caplog.text


def test_who_was_not_reached_is_left_alone_for_a_while() -> None:
    """A peer that hangs costs one timeout in twenty seconds, not one for each upload; then it is told again."""
    now_ms, asked_at_ms = [0], []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        asked_at_ms.append(now_ms[0])
        return answering(503)(environ, start_response)

    with serving(app) as url:
        tell = Tell(peers=[peer(url)], clock_ms=lambda: now_ms[0])
        for now_ms[0] in (0, 19_999, 20_000):
            tell(recorded())

    assert asked_at_ms == [0, 20_000]


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("SLUICE_ORDER", "aws,gcp,aws", "SLUICE_ORDER"),
        ("SLUICE_ORDER", "gcp,azure", "SLUICE_ORDER"),
        ("SLUICE_PEERS", "{", "SLUICE_PEERS is no JSON"),
        ("SLUICE_PEERS", "{}", "SLUICE_PEERS must have exactly"),
        ("SLUICE_PEERS", '{"gcp": {"url": "http://gcp.test"}}', "SLUICE_PEERS.gcp.url"),
        ("SLUICE_PEERS", '{"gcp": {"url": "https://gcp.test", "origins": ["https://a.test/b"]}}', "gcp.origins"),
        ("SLUICE_PEERS", '{"gcp": {"ulr": "https://gcp.test"}}', "SLUICE_PEERS.gcp"),
        ("SLUICE_PEER_KEYS", "{}", "SLUICE_PEER_KEYS"),
        ("SLUICE_PEER_KEYS", '{"current": "k", "keys": {"k": "1234"}}', "SLUICE_PEER_KEYS.keys.k"),
        ("SLUICE_COPIES", "3", "SLUICE_COPIES"),
        ("SLUICE_TAKEOVER_AFTER_S", "0", "SLUICE_TAKEOVER_AFTER_S"),
        ("SLUICE_PROBE_EVERY_S", "0", "SLUICE_PROBE_EVERY_S"),
        ("SLUICE_FUNCTION_STALE_S", "a minute", "SLUICE_FUNCTION_STALE_S"),
        ("SLUICE_BODY_MAX_BYTES", "99999999", "SLUICE_BODY_MAX_BYTES"),
        ("SLUICE_API_KEYS", '{"x": "the key itself"}', "SLUICE_API_KEYS"),
    ],
)
def test_bad_setting_is_named(name: str, value: str, what: str) -> None:
    """A setting that makes no sense is an error that names it, and quotes no secret."""
    good = {
        "SLUICE_CLOUD": "aws",
        "SLUICE_ORDER": "aws,gcp",
        "SLUICE_PEERS": '{"gcp": {"url": "https://gcp.test", "origins": ["https://objects.test"]}}',
        "SLUICE_PEER_KEYS": '{"current": "k", "keys": {"k": "' + "ab" * 32 + '"}}',
    }
    assert read_peer_settings(good).origins == ("https://objects.test",)

    with pytest.raises(ProviderUnusableError, match=what) as caught:
        read_peer_settings(good | {name: value})
    assert "1234" not in str(caught.value)
    assert "the key itself" not in str(caught.value)
