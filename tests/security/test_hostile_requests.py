"""Hostile requests: each is refused with a problem document, stores nothing, and gets nothing to read."""

import base64
import hashlib
import json
import logging
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from werkzeug.test import TestResponse

from core.signing import HEADER, WINDOW_S, PeerKeys, sign
from core.work_item import to_text
from handlers.peers.wire import records_to_json, signed_path, ticket_to_query
from tests.contract.peer_contract import recorded, ticket, upload
from tests.unit.api_in_memory import KEYS, MemoryApi

API_KEY = "a client's key"
MARK = "sEcReT-user-data"  # stands in hostile requests, and must not come back nor be logged
SECRETS = [MARK, API_KEY, *(secret.hex() for secret in KEYS.secrets.values())]
STRANGERS_KEYS = PeerKeys(current="k1", secrets={"k1": b"guess" * 8})

Sign = Callable[..., TestResponse]


@pytest.fixture
def api() -> MemoryApi:
    digest = hashlib.sha256(API_KEY.encode()).hexdigest()
    return MemoryApi(change={"client_keys": {"tester": digest}, "is_open": False})


def assert_refused(
    api: MemoryApi, answer: TestResponse, caplog: pytest.LogCaptureFixture, *, status: int, name: str
) -> None:
    """A problem of this type; nothing stored; nothing of the request and no secret in answer or log."""
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert answer.json["type"] == f"https://sluice.invalid/problems/{name}"
    assert answer.json["status"] == status
    assert api.is_untouched()
    said = answer.text + repr(dict(answer.headers)) + caplog.text
    assert not [secret for secret in SECRETS if secret in said]


def signed(
    api: MemoryApi,
    method: str = "POST",
    path: str = "/v1/work",
    *,
    query: list[tuple[str, str]] | None = None,
    body: bytes = b"",
    sent_body: bytes | None = None,
    keys: PeerKeys = KEYS,
    **change: Any,
) -> TestResponse:
    """A peer's request; `change` is of what is signed."""
    known = {"sender": "aws", "recipient": "gcp", "at_ms": api.now_ms, "nonce": secrets.token_hex(16)}
    query = query or []
    header = sign(keys, method, signed_path(path, query), hashlib.sha256(body).hexdigest(), **{**known, **change})
    target = f"{path}?{urlencode(query, quote_via=quote)}" if query else path
    sent = body if sent_body is None else sent_body
    return api.client.open(target, method=method, data=sent, headers={HEADER: header})


def as_client(api: MemoryApi, method: str, target: str, **options: Any) -> TestResponse:
    headers = {"Authorization": f"Bearer {API_KEY}", **options.pop("headers", {})}
    return api.client.open(target, method=method, headers=headers, **options)


WORK = to_text(upload(key=MARK)).encode()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/copies"),
        ("POST", "/v1/copies:presign"),
        ("POST", "/v1/copies:confirm"),
        ("POST", "/v1/work"),
        ("PUT", "/v1/route"),
        ("GET", "/v1/records"),
        ("POST", "/v1/records"),
    ],
)
def test_peers_endpoints_need_a_signature(
    api: MemoryApi, caplog: pytest.LogCaptureFixture, method: str, path: str
) -> None:
    """An API key opens none of them."""
    for headers in ({}, {"Authorization": f"Bearer {API_KEY}"}, {HEADER: MARK}, {HEADER: "x;" * 5_000}):
        answer = api.client.open(path, method=method, headers=headers, data=WORK)

        assert_refused(api, answer, caplog, status=401, name="unauthorized")


@pytest.mark.parametrize(
    "change",
    [
        {"keys": STRANGERS_KEYS},
        {"keys": PeerKeys(current="k9", secrets={"k9": KEYS.secrets["k1"]})},
        {"recipient": "aws"},
        {"sender": "gcp"},
        {"sender": "nobody"},
        {"sent_body": WORK.replace(b'"k', b'"j') + b" "},
    ],
    ids=["another secret", "an unknown key", "for another cloud", "from itself", "from no peer", "another body"],
)
def test_wrong_signature(api: MemoryApi, caplog: pytest.LogCaptureFixture, change: dict[str, Any]) -> None:
    """Whatever does not fit the signature is refused, and the answer does not tell what it was."""
    answer = signed(api, body=WORK, **change)

    assert_refused(api, answer, caplog, status=401, name="unauthorized")
    assert "detail" not in answer.json


@pytest.mark.parametrize("seconds", [-WINDOW_S - 1, WINDOW_S + 1])
def test_expired_signature(api: MemoryApi, caplog: pytest.LogCaptureFixture, seconds: int) -> None:
    """A request is good for minutes, in both directions."""
    answer = signed(api, body=WORK, at_ms=api.now_ms + seconds * 1000)

    assert_refused(api, answer, caplog, status=401, name="unauthorized")


def test_signature_of_another_request(api: MemoryApi, caplog: pytest.LogCaptureFixture) -> None:
    """A signature serves for its own method, path and query only."""
    header = sign(
        KEYS,
        "POST",
        "/v1/work",
        hashlib.sha256(WORK).hexdigest(),
        sender="aws",
        recipient="gcp",
        at_ms=api.now_ms,
        nonce="0" * 32,
    )

    for method, target in (("POST", "/v1/records"), ("PUT", "/v1/route"), ("POST", "/v1/work?a=b")):
        answer = api.client.open(target, method=method, headers={HEADER: header}, data=WORK)

        assert_refused(api, answer, caplog, status=401, name="unauthorized")


def test_replayed_request(api: MemoryApi) -> None:
    """The same request is taken once, and works nothing the second time."""
    nonce = secrets.token_hex(16)
    body = to_text(upload()).encode()

    answers = [signed(api, body=body, nonce=nonce, at_ms=api.now_ms) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 401]
    assert api.services.work.depth().visible_count == 1


@pytest.mark.parametrize(
    "key", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer wrong", f"Bearer {API_KEY}x", "Bearer ü"]
)
def test_clients_need_their_key(api: MemoryApi, caplog: pytest.LogCaptureFixture, key: str) -> None:
    """No key, a wrong one, and one of another kind are the same."""
    for method, target in (("POST", "/v1/uploads?name=a"), ("GET", "/v1/uploads"), ("GET", "/v1/route")):
        answer = api.client.open(target, method=method, headers={"Authorization": key}, data=MARK)

        assert_refused(api, answer, caplog, status=401, name="unauthorized")
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_oversized_bodies(api: MemoryApi, caplog: pytest.LogCaptureFixture) -> None:
    """A declared size above the limit is refused before a byte is read, and the way out is named."""
    limit_bytes = api.front.settings.body_max_bytes

    class Unread:
        def read(self, size: int = -1) -> bytes:
            raise AssertionError("the body must not be read")

    target = "/v1/uploads"
    environ = {"wsgi.input": Unread(), "CONTENT_LENGTH": str(limit_bytes + 1), "QUERY_STRING": f"name={MARK}"}
    answer = as_client(api, "POST", target, environ_overrides=environ)

    assert_refused(api, answer, caplog, status=413, name="too-large")
    assert answer.json["limit_bytes"] == limit_bytes
    assert "presign" in answer.json["detail"]
    copy = b"x" * (limit_bytes + 1)
    answer = signed(api, path="/v1/copies", query=ticket_to_query(ticket(copy)), body=copy)
    assert_refused(api, answer, caplog, status=413, name="too-large")


@pytest.mark.parametrize(
    "name",
    ["../x", "/etc/passwd", "a/b", "a\\b", ".", "..", "", "a\0b", "a\r\nX: y", "a\u202eb", "x" * 256, "ü" * 128],
)
def test_path_like_names(api: MemoryApi, caplog: pytest.LogCaptureFixture, name: str) -> None:
    """A name is a file's name: no path, nothing invisible, of 255 bytes; for clients, presigned, and for copies."""
    answers = [
        as_client(api, "POST", f"/v1/uploads?name={quote(name)}", data=MARK),
        as_client(api, "POST", "/v1/uploads:presign", json={"name": name, "size_bytes": 1}),
        signed(api, path="/v1/copies", query=ticket_to_query(ticket(name=name)), body=b"the content"),
    ]

    for answer in answers:
        assert_refused(api, answer, caplog, status=400, name="bad-request")


@pytest.mark.parametrize(
    "query",
    ["name=a&name=b", "name=a&copys=2", "name=%ff", "name=a&copies=0", "name=a&copies=3", "name=a&copies=1e0", ""],
)
def test_bad_queries(api: MemoryApi, caplog: pytest.LogCaptureFixture, query: str) -> None:
    """A parameter that is misspelt, doubled, missing, or out of range is refused, not ignored."""
    answer = as_client(api, "POST", f"/v1/uploads?{query}", data=MARK)

    assert_refused(api, answer, caplog, status=400, name="bad-request")


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Idempotency-Key", "a b"),
        ("Idempotency-Key", "ü"),
        ("Idempotency-Key", "x" * 256),
        ("Idempotency-Key", ""),
        ("Sluice-Failed", f"aws {MARK}"),
        ("Content-Digest", MARK),
        ("Content-Digest", "md5=:1B2M2Y8AsgTpgAmY7PhCfg==:"),
        ("Repr-Digest", "sha-256=:!:"),
    ],
)
def test_bad_headers(api: MemoryApi, caplog: pytest.LogCaptureFixture, header: str, value: str) -> None:
    """A header that means something is checked."""
    answer = as_client(api, "POST", "/v1/uploads?name=a", data=MARK, headers={header: value})

    assert_refused(api, answer, caplog, status=400, name="bad-request")


def test_header_injecting_content_type(api: MemoryApi, caplog: pytest.LogCaptureFixture) -> None:
    """What becomes a header of somebody else's request can hold no other header."""
    given = {"name": "a", "size_bytes": 1, "content_type": f"text/plain\r\nX-Evil: {MARK}"}

    answer = as_client(api, "POST", "/v1/uploads:presign", json=given)

    assert_refused(api, answer, caplog, status=400, name="bad-request")


@pytest.mark.parametrize("header", ["Content-Digest", "Repr-Digest"])
def test_wrong_digest(api: MemoryApi, caplog: pytest.LogCaptureFixture, header: str) -> None:
    """Content that is not what its digest says is not stored."""
    digest = base64.b64encode(hashlib.sha256(b"another content").digest()).decode()

    answer = as_client(api, "POST", "/v1/uploads?name=a", data=MARK, headers={header: f"sha-256=:{digest}:"})

    assert_refused(api, answer, caplog, status=400, name="digest-mismatch")


def test_short_body_and_no_length(api: MemoryApi, caplog: pytest.LogCaptureFixture) -> None:
    """A body that ends early is none, and one without a declared length is not begun."""
    short = as_client(api, "POST", "/v1/uploads?name=a", data=MARK, environ_overrides={"CONTENT_LENGTH": "1000"})
    endless = as_client(api, "POST", "/v1/uploads?name=a", data=MARK, environ_overrides={"CONTENT_LENGTH": ""})
    encoded = as_client(api, "POST", "/v1/uploads?name=a", data=MARK, headers={"Content-Encoding": "gzip"})

    assert_refused(api, short, caplog, status=400, name="short-body")
    assert_refused(api, endless, caplog, status=411, name="length-required")
    assert_refused(api, encoded, caplog, status=415, name="unsupported-encoding")


@pytest.mark.parametrize(
    "url",
    [
        f"file:///etc/passwd?{MARK}",
        f"http://169.254.169.254/latest/meta-data/{MARK}",
        f"https://elsewhere.test/{MARK}",
        f"https://objects.aws.test@elsewhere.test/{MARK}",
        f"http://objects.aws.test/{MARK}",
        f"https://objects.aws.test:22/{MARK}",
        f"gopher://objects.aws.test/{MARK}",
    ],
)
def test_foreign_url_in_work(api: MemoryApi, caplog: pytest.LogCaptureFixture, url: str) -> None:
    """Work whose URL leads anywhere but to a peer's objects is not taken, even from a peer."""
    answer = signed(api, body=to_text(upload(url=url)).encode())

    assert_refused(api, answer, caplog, status=422, name="foreign-url")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"\xff", "JSON"),
        (b"[" * 100_000, "limit"),
        (b"[" * 40_000, "JSON"),
        (b'{"sluice": 2}', "sluice"),
        (b'{"sluice": 1, "upload": []}', "upload"),
        (json.dumps({"sluice": 1, "upload": {"upload_id": MARK}}).encode(), "upload"),
        (to_text(upload(upload_id=MARK)).encode(), "upload_id"),
        (to_text(upload(cloud=f"{MARK}/")).encode(), "cloud"),
        (to_text(upload(key=MARK * 100)).encode(), "key"),
        (to_text(upload(key="\ud800")).encode(), "key"),
        (to_text(upload(bucket="")).encode(), "bucket"),
        (to_text(upload(version="v" * 2000)).encode(), "version"),
    ],
)
def test_hostile_work(api: MemoryApi, caplog: pytest.LogCaptureFixture, body: bytes, field: str) -> None:
    """Work that is none is refused, and the field named."""
    answer = signed(api, body=body)

    is_large = len(body) > 48_000
    assert_refused(
        api, answer, caplog, status=413 if is_large else 400, name="too-large" if is_large else "bad-request"
    )
    assert field in answer.json["detail"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"wire": 2}, "wire"),
        ({"state": "claimed"}, "state"),
        ({"state": MARK}, "state"),
        ({"upload_id": f"../{MARK}"}, "upload_id"),
        ({"key": ""}, "key"),
        ({"key": "\ud800"}, "key"),
        ({"bucket": ""}, "bucket"),
        ({"sha256": MARK}, "sha256"),
        ({"size_bytes": -1}, "size_bytes"),
        ({"size_bytes": 2**63}, "size_bytes"),
        ({"recorded_at_ms": MARK}, "recorded_at_ms"),
        ({"recorded_at_ms": True}, "recorded_at_ms"),
        ({"facts": "[1]"}, "facts"),
        ({"facts": "{" * 30_000}, "facts"),
        ({"facts": "x" * 32_001}, "facts"),
        ({"conflicts": '[{"sha256": "x"}]'}, "conflicts"),
        ({"recorded_by": f"{MARK}\n"}, "recorded_by"),
        ({"reason": {"a": MARK}}, "reason"),
    ],
)
def test_hostile_records(api: MemoryApi, caplog: pytest.LogCaptureFixture, change: dict[str, Any], field: str) -> None:
    """One bad record among good ones: none is absorbed, and the field is named."""
    good, bad = records_to_json([recorded(1), recorded(2)])

    answer = signed(api, path="/v1/records", body=json.dumps({"records": [good, bad | change]}).encode())

    assert_refused(api, answer, caplog, status=400, name="bad-request")
    assert field in answer.json["detail"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"active": MARK}, "active"),
        ({"order": "aws"}, "order"),
        ({"order": ["aws", "aws"]}, "order"),
        ({"order": ["aws"]}, "order"),
        ({"epoch": -1}, "epoch"),
        ({"epoch": 2**63}, "epoch"),
        ({"pinned": "yes"}, "pinned"),
        ({"reason": "r" * 301}, "reason"),
        ({"wire": 7}, "wire"),
        ({MARK: 1}, "field"),
    ],
)
def test_hostile_routes(api: MemoryApi, caplog: pytest.LogCaptureFixture, change: dict[str, Any], field: str) -> None:
    """A route that makes no sense changes nothing."""
    route = {"wire": 1, "active": "aws", "order": ["aws", "gcp"], "epoch": 9} | change

    answer = signed(api, "PUT", "/v1/route", body=json.dumps(route).encode())

    assert_refused(api, answer, caplog, status=400, name="bad-request")
    assert field in answer.json["detail"]


@pytest.mark.parametrize("cursor", ["%00", "a" * 50_000, "bm90IGEgY3Vyc29y=", "!", "YQ==YQ"])
def test_hostile_cursors(api: MemoryApi, caplog: pytest.LogCaptureFixture, cursor: str) -> None:
    """A cursor that no page gave is refused."""
    answer = as_client(api, "GET", f"/v1/uploads?after={cursor}")

    assert_refused(api, answer, caplog, status=400, name="bad-request")


def test_failures_tell_nothing(api: MemoryApi, caplog: pytest.LogCaptureFixture) -> None:
    """A bug of ours is a problem document without details; the log has them."""
    caplog.set_level(logging.CRITICAL, logger="sluice")
    api.services.ledger.put("11111111-2222-3333-4444-555555555555", {"wire": 99, "key": MARK}, expect=None)

    answer = as_client(api, "GET", "/v1/uploads/11111111-2222-3333-4444-555555555555")

    assert (answer.status_code, answer.json["type"]) == (500, "https://sluice.invalid/problems/internal")
    assert MARK not in answer.text
