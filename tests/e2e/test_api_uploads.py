"""Uploads through the API of two clouds: receipts, copies, retries at the other cloud, standby, route and health."""

import base64
import hashlib
import io
from dataclasses import replace
from typing import Any

import pytest

from core.errors import TransientError
from core.evidence import count_failures
from core.parts import PART_MIN_BYTES, part_key
from core.ports import Fields, Row
from core.record import describe
from core.route import Route, accept_route
from providers.memory.ledger import MemoryLedger
from tests.contract.peer_contract import recorded
from tests.unit.api_in_memory import ORDER, MemoryApi

CONTENT = b"what is uploaded \0\xff"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class DeadLedger(MemoryLedger):
    """A table that cannot be reached while it is dead."""

    is_dead = False

    def get(self, row_id: str) -> Row | None:
        if self.is_dead:
            raise TransientError("the table does not answer")
        return super().get(row_id)

    def put(self, row_id: str, fields: Fields, *, expect: str | None) -> str | None:
        if self.is_dead:
            raise TransientError("the table does not answer")
        return super().put(row_id, fields, expect=expect)


@pytest.fixture
def aws() -> MemoryApi:
    """The cloud that is active."""
    return MemoryApi(cloud="aws")


@pytest.fixture
def gcp(aws: MemoryApi) -> MemoryApi:
    """A standby, with the other cloud as its peer."""
    return MemoryApi(cloud="gcp", peers=[aws.site])


def post(api: MemoryApi, target: str = "/v1/uploads?name=a.txt", content: bytes = CONTENT, **headers: str) -> Any:
    return api.client.post(target, data=content, headers={n.replace("_", "-"): v for n, v in headers.items()})


def content_of(api: MemoryApi, key: str) -> bytes:
    info = api.services.store.find(key)
    assert info is not None
    with api.services.store.open(key, version=info.version) as found:
        return found.body.read()  # type: ignore[union-attr]


def test_receipt_says_what_stands(aws: MemoryApi) -> None:
    """The receipt names the upload, its content and its copies; object and pending record stand, and can be read."""
    answer = post(aws)

    receipt = answer.json
    assert answer.status_code == 201
    assert (receipt["sha256"], receipt["size_bytes"], receipt["copies"]) == (SHA256, len(CONTENT), ["aws"])
    assert receipt["key"] == f"u/{receipt['upload_id']}/a.txt"
    assert content_of(aws, receipt["key"]) == CONTENT
    shown = aws.client.get(answer.headers["Location"])
    assert (shown.status_code, shown.json["state"], shown.json["home"]) == (200, "pending", "aws")


def test_two_copies(gcp: MemoryApi, aws: MemoryApi) -> None:
    """With copies=2 the upload stands in both clouds before it is acknowledged."""
    receipt = post(gcp, "/v1/uploads?name=a.txt&copies=2").json

    assert receipt["copies"] == ["aws", "gcp"]
    assert content_of(aws, receipt["key"]) == content_of(gcp, receipt["key"]) == CONTENT


def test_too_few_copies_are_not_acknowledged(aws: MemoryApi, caplog: pytest.LogCaptureFixture) -> None:
    """One cloud alone cannot promise two copies: 503 with Retry-After, and how many stand."""
    answer = post(aws, "/v1/uploads?name=a.txt&copies=2")

    assert (answer.status_code, answer.json["type"].rpartition("/")[2]) == (503, "not-enough-copies")
    assert (answer.json["copies_wanted"], answer.json["copies_stood"]) == (2, ["aws"])
    assert int(answer.headers["Retry-After"]) > 0


def test_retry_at_another_cloud_is_the_same_upload(gcp: MemoryApi, aws: MemoryApi) -> None:
    """An idempotency key makes one id everywhere; without one each request is an upload of its own."""
    keyed = [post(api, Idempotency_Key="k-1").json["upload_id"] for api in (aws, gcp, aws)]
    plain = [post(aws).json["upload_id"] for _ in range(2)]

    assert len(set(keyed)) == 1
    assert len({*keyed, *plain}) == 3
    assert len(aws.services.store.page().objects) == 3


@pytest.mark.parametrize(("target", "content"), [("?name=a.txt", b"other"), ("?name=b.txt", CONTENT)])
def test_key_of_another_upload(aws: MemoryApi, target: str, content: bytes) -> None:
    """The same key with another content or name is refused, and the first upload stays."""
    first = post(aws, Idempotency_Key="k-1").json

    answer = post(aws, f"/v1/uploads{target}", content, Idempotency_Key="k-1")

    assert (answer.status_code, answer.json["type"].rpartition("/")[2]) == (422, "other-upload")
    assert content_of(aws, first["key"]) == CONTENT


@pytest.mark.parametrize("header", ["Content-Digest", "Repr-Digest"])
def test_right_digest(aws: MemoryApi, header: str) -> None:
    """A digest that fits is no hindrance, also beside others."""
    digest = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()

    assert post(aws, **{header: f"sha-512=:AAAA:, sha-256=:{digest}:"}).status_code == 201


def test_presigned_upload(gcp: MemoryApi, aws: MemoryApi) -> None:
    """Targets in one cloud more than asked; acknowledged once the client's copies stand; at whichever cloud."""
    given = {"name": "big.bin", "size_bytes": len(CONTENT), "sha256": SHA256, "copies": 1}
    presigned = gcp.client.post("/v1/uploads:presign", json=given).json
    ticket, target = presigned["ticket"], f"/v1/uploads/{presigned['ticket']['upload_id']}:complete"

    early = gcp.client.post(target, json={"ticket": ticket})
    key = f"u/{ticket['upload_id']}/big.bin"
    aws.services.store.put(key, io.BytesIO(CONTENT), size_bytes=len(CONTENT))
    receipts = [api.client.post(target, json={"ticket": ticket, "copies": 1}) for api in (gcp, aws)]
    two = gcp.client.post(target, json={"ticket": ticket, "copies": 2})

    assert sorted(presigned["targets"]) == ["aws", "gcp"]
    assert early.status_code == two.status_code == 503
    assert [(answer.status_code, answer.json["copies"]) for answer in receipts] == [(200, ["aws"])] * 2


def test_presigned_upload_in_parts(gcp: MemoryApi, aws: MemoryApi) -> None:
    """Each target has a place for each part; they are joined and acknowledged once the client has put them all."""
    size_bytes = PART_MIN_BYTES + 1
    given = {"name": "big.bin", "size_bytes": size_bytes, "parts": True, "copies": 1}
    presigned = gcp.client.post("/v1/uploads:presign", json=given).json
    ticket, target = presigned["ticket"], f"/v1/uploads/{presigned['ticket']['upload_id']}:complete"
    put = {"handle": presigned["targets"]["aws"]["handle"], "etags": ["", ""]}
    key = f"u/{ticket['upload_id']}/big.bin"

    early = gcp.client.post(target, json={"ticket": ticket, "parts": {"aws": put}})
    for number, part in enumerate((b"x" * PART_MIN_BYTES, b"x"), start=1):
        aws.services.store.put(part_key(key, number), io.BytesIO(part), size_bytes=len(part))
    receipt = gcp.client.post(target, json={"ticket": ticket, "parts": {"aws": put}})
    again = aws.client.post(target, json={"ticket": ticket})

    assert presigned["part_bytes"] == PART_MIN_BYTES
    assert {cloud: len(each["parts"]) for cloud, each in presigned["targets"].items()} == {"aws": 2, "gcp": 2}
    assert (early.status_code, early.json["copies_absent"]) == (503, ["aws", "gcp"])
    assert [(a.status_code, a.json["copies"]) for a in (receipt, again)] == [(200, ["aws"])] * 2
    assert content_of(aws, key) == b"x" * size_bytes


@pytest.mark.parametrize(
    "given",
    [
        {"size_bytes": 5_000_000_001},
        {"size_bytes": 5_000_000_001, "parts": False},
        {"size_bytes": 134_217_728_001, "parts": True},
        {"size_bytes": 0, "parts": True},
        {"size_bytes": 1, "parts": 1},
    ],
)
def test_size_that_does_not_fit_the_way(aws: MemoryApi, given: dict[str, Any]) -> None:
    """What no cloud takes at once needs parts, nothing has none, and there is a limit for parts as well."""
    assert aws.client.post("/v1/uploads:presign", json={"name": "a", **given}).status_code == 400


@pytest.mark.parametrize(
    "parts",
    [
        [],
        {"aws": {}},
        {"aws": {"handle": "x", "etags": []}},
        {"aws": {"handle": "x", "etags": [""] * 33}},
        {"aws": {"handle": "x", "etags": [1]}},
        {"aws": {"handle": "x", "etags": ["\x84"]}},
        {"aws": {"handle": "a\r\nb", "etags": [""]}},
        {"aws": {"handle": "x", "etags": [""], "other": 1}},
        {"A W S": {"handle": "x", "etags": [""]}},
    ],
)
def test_parts_that_make_no_sense(aws: MemoryApi, parts: Any) -> None:
    """What is no list of parts is refused before any cloud is asked."""
    ticket = aws.client.post("/v1/uploads:presign", json={"name": "a", "size_bytes": 1, "parts": True}).json["ticket"]

    answer = aws.client.post(f"/v1/uploads/{ticket['upload_id']}:complete", json={"ticket": ticket, "parts": parts})

    assert (answer.status_code, answer.json["type"].rpartition("/")[2]) == (400, "bad-request")


def test_ticket_of_another_upload_or_of_long_ago(aws: MemoryApi) -> None:
    """A ticket serves for its own upload, for some days, and with a home that there is."""
    ticket = aws.client.post("/v1/uploads:presign", json={"name": "a", "size_bytes": 1}).json["ticket"]
    target = f"/v1/uploads/{ticket['upload_id']}:complete"
    other = "/v1/uploads/00000000-0000-4000-8000-000000000000:complete"

    changes = ({"home": "nowhere"}, {"accepted_at_ms": 1}, {"accepted_at_ms": ticket["accepted_at_ms"] * 2})
    answers = [aws.client.post(target, json={"ticket": ticket | change}) for change in changes]
    answers.append(aws.client.post(other, json={"ticket": ticket}))

    assert [answer.status_code for answer in answers] == [400] * 4


def test_standby_says_so(gcp: MemoryApi, aws: MemoryApi) -> None:
    """A client that reaches a standby is served, passed on to the active cloud, and told to look anew."""
    answer = post(gcp)

    assert (answer.status_code, answer.json["copies"], answer.json["home"]) == (201, ["aws"], "aws")
    assert (answer.headers["Sluice-Active"], answer.headers["Connection"]) == ("aws", "close")
    assert "Sluice-Active" not in post(aws).headers


def test_client_tells_of_a_failed_cloud(gcp: MemoryApi) -> None:
    """It counts as evidence, and the upload is this cloud's to process; an unknown cloud counts for nothing."""
    answer = post(gcp, Sluice_Failed="aws")
    post(gcp, Sluice_Failed="nowhere")

    assert answer.json["home"] == "gcp"
    assert count_failures(gcp.services.control, cloud="aws", now_ms=gcp.now_ms) == 1


def test_only_the_active_cloud_serves(gcp: MemoryApi, aws: MemoryApi) -> None:
    """`/v1/serving` follows the route that the cloud itself holds, within a second."""
    assert [api.client.get("/v1/serving").status_code for api in (aws, gcp)] == [200, 503]
    for api in (aws, gcp):
        accept_route(api.services.control, Route(active="gcp", order=ORDER, epoch=1))
        api.monotonic_s += 1.01

    assert [api.client.get("/v1/serving").status_code for api in (aws, gcp)] == [503, 200]


def test_unreadable_route(aws: MemoryApi, caplog: pytest.LogCaptureFixture) -> None:
    """A cloud that cannot read its route does not serve, but still takes uploads in, as by the last route it knew."""
    control = DeadLedger()
    aws.connect(replace(aws.services, control=control))
    assert aws.client.get("/v1/serving").status_code == 200
    control.is_dead = True
    aws.monotonic_s += 1.01

    assert aws.client.get("/v1/serving").status_code == 503
    assert aws.client.get("/v1/route").status_code == 503
    assert post(aws).status_code == 201


def test_dead_ledger(aws: MemoryApi, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is acknowledged, health names what fails, and questions are answered with 503."""
    ledger = DeadLedger()
    aws.connect(replace(aws.services, ledger=ledger))
    ledger.is_dead = True

    health = aws.client.get("/v1/health")

    assert post(aws).status_code == 503
    assert (health.status_code, health.json["status"], health.json["failed"]) == (503, "unusable", ["ledger"])
    missing = aws.client.get("/v1/uploads/00000000-0000-4000-8000-000000000000")
    assert (missing.status_code, missing.headers["Retry-After"]) == (503, "5")


def test_health_tells_route_and_backlog(aws: MemoryApi) -> None:
    """Health shows what works, the route, and what waits."""
    aws.services.work.send(["x", "y"])

    health = aws.client.get("/v1/health")

    assert (health.status_code, health.json["status"], health.json["work"]["visible_count"]) == (200, "ok", 2)
    assert (health.json["route"]["active"], health.json["parked_count"]) == ("aws", 0)


def test_pages_of_records(aws: MemoryApi) -> None:
    """Each record comes once, whatever the page's limit, as `describe` gives it."""
    given = [recorded(number, facts={"text": "x" * 30_000}) for number in range(1, 61)]
    aws.site.absorb(given)

    for limit in (7, 1000):  # a page of all would be too large for a function's answer
        found, after = [], ""
        for _ in range(60):
            answer = aws.client.get(f"/v1/uploads?limit={limit}&after={after}")
            assert len(answer.data) <= 1024 * 1024
            found += answer.json["records"]
            after = answer.json["after"]
            if not after:
                break
        assert found == [describe(record) for record in given]


def test_route_is_shown(aws: MemoryApi) -> None:
    """Clients see who is active, and in which order the others follow."""
    shown = aws.client.get("/v1/route").json

    assert (shown["active"], shown["order"], shown["epoch"]) == ("aws", list(ORDER), 0)
