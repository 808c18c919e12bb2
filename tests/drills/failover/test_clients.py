"""The drill's clients, against small HTTP servers: they fail over by themselves, under one key, and give up in time."""

import hashlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from drills.failover.load.clients import BucketRoad, ListRoad, PresignedRoad
from drills.failover.load.generator import LoadGenerator
from drills.failover.load.http_client import NoAnswerError, ask
from drills.failover.load.sending import File, Patience, TryFailedError, send
from drills.failover.scenario import Load, Road
from drills.waiting import wait_until

PATIENCE = Patience(copies=2, try_timeout_s=0.5, give_up_s=5, headers={"Authorization": "Bearer k"})
FILE = File(name="a.bin", content=b"some bytes")


class Cloud:
    """Answers each POST as `answer` says, and keeps what came."""

    def __init__(self, answer: Callable[[str, bytes], tuple[int, dict[str, Any]]]) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.active = ""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                status, fields = answer(self.path, body)
                content = json.dumps(fields).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                if outer.active:
                    self.send_header("sluice-active", outer.active)
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_PUT = _serve

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def receipt(_: str, body: bytes) -> tuple[int, dict[str, Any]]:
    return 201, {"upload_id": "id-1", "sha256": hashlib.sha256(body).hexdigest(), "size_bytes": len(body)}


def refusal(_: str, __: bytes) -> tuple[int, dict[str, Any]]:
    return 503, {"type": "https://sluice.invalid/problems/not-enough-copies"}


def lie(_: str, __: bytes) -> tuple[int, dict[str, Any]]:
    return 201, {"upload_id": "id-1", "sha256": "0" * 64, "size_bytes": 10}


@pytest.fixture
def make_cloud() -> Iterator[Callable[..., Cloud]]:
    made: list[Cloud] = []

    def make(answer: Callable[[str, bytes], tuple[int, dict[str, Any]]]) -> Cloud:
        made.append(Cloud(answer))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_list_fails_over_under_one_key(make_cloud: Callable[..., Cloud]) -> None:
    """The next cloud gets the same file and key, and is told which one failed."""
    bad, good = make_cloud(refusal), make_cloud(receipt)

    sent = send(Road.API, ListRoad({"aws": bad.url, "gcp": good.url}, PATIENCE), FILE, PATIENCE)

    assert (sent.is_acknowledged, sent.upload_id) == (True, "id-1")
    assert [(each.cloud, each.error) for each in sent.attempts] == [("aws", "503 not-enough-copies"), ("gcp", "")]
    (_, first, _), (path, second, body) = bad.requests[0], good.requests[0]
    assert first["idempotency-key"] == second["idempotency-key"]
    assert (path, body, second["sluice-failed"]) == ("/v1/uploads?name=a.bin&copies=2", FILE.content, "aws")
    assert "sluice-failed" not in first


def test_list_leaves_a_failed_cloud_alone(make_cloud: Callable[..., Cloud]) -> None:
    """Also when a standby still says that it is the active one."""
    bad, good = make_cloud(refusal), make_cloud(receipt)
    good.active = "aws"
    road = ListRoad({"aws": bad.url, "gcp": good.url}, PATIENCE)

    for _ in range(3):
        send(Road.API, road, FILE, PATIENCE)

    assert (len(bad.requests), len(good.requests)) == (1, 3)


def test_list_follows_the_active_cloud(make_cloud: Callable[..., Cloud]) -> None:
    """A standby's word leads to the active cloud with the next file."""
    standby, active = make_cloud(receipt), make_cloud(receipt)
    standby.active = "gcp"
    road = ListRoad({"aws": standby.url, "gcp": active.url}, PATIENCE)

    for _ in range(3):
        send(Road.API, road, FILE, PATIENCE)

    assert (len(standby.requests), len(active.requests)) == (1, 2)


def test_receipt_of_other_content_is_none(make_cloud: Callable[..., Cloud]) -> None:
    """A product that acknowledges something else has acknowledged nothing."""
    patience = Patience(copies=2, try_timeout_s=0.5, give_up_s=0.1, headers={})

    sent = send(Road.API, ListRoad({"aws": make_cloud(lie).url}, patience), FILE, patience)

    assert (sent.is_acknowledged, sent.upload_id) == (False, "")
    assert "no receipt" in sent.attempts[0].error


def test_presigned_needs_enough_copies(make_cloud: Callable[..., Cloud]) -> None:
    """Of three targets two must take the file; then the receipt is asked for, with the ticket."""
    good_store, other_store, bad_store = make_cloud(receipt), make_cloud(receipt), make_cloud(refusal)
    stores = {"aws": bad_store, "gcp": good_store, "azure": other_store}

    def answer(path: str, _: bytes) -> tuple[int, dict[str, Any]]:
        if path.endswith(":presign"):
            targets = {cloud: {"url": f"{store.url}/put", "headers": {}} for cloud, store in stores.items()}
            return 200, {"ticket": {"upload_id": "id-1"}, "targets": targets}
        return 200, receipt("", FILE.content)[1]

    api = make_cloud(answer)
    sent = send(Road.PRESIGNED, PresignedRoad({"aws": api.url}, PATIENCE), FILE, PATIENCE)
    stores["gcp"] = bad_store
    short = Patience(copies=2, try_timeout_s=0.5, give_up_s=0.1, headers={})
    missing = send(Road.PRESIGNED, PresignedRoad({"aws": api.url}, short), FILE, short)

    assert sent.upload_id == "id-1"
    assert good_store.requests[0][2] == other_store.requests[0][2] == FILE.content
    assert json.loads(api.requests[1][2])["ticket"] == {"upload_id": "id-1"}
    assert missing.attempts[0].error == "1 of 2 copies put"


def test_bucket_road_makes_a_key_for_each_try() -> None:
    """So that an object of a put without an answer is told from the one that was acknowledged."""
    put: list[tuple[str, str]] = []

    def fail(key: str, _: bytes) -> None:
        put.append(("aws", key))
        raise OSError("gone")

    road = BucketRoad({"aws": fail, "gcp": lambda key, _: put.append(("gcp", key))})

    sent = send(Road.BUCKET, road, FILE, PATIENCE)

    assert put == [("aws", "drill/0/a.bin"), ("gcp", "drill/1/a.bin")]
    assert [each.key for each in sent.attempts] == ["drill/0/a.bin", "drill/1/a.bin"]
    assert sent.is_acknowledged


def test_client_gives_up() -> None:
    """Bounded in time: no try begins after the time to give up."""
    patience = Patience(copies=2, try_timeout_s=0.1, give_up_s=0.6, headers={})

    class Nowhere(ListRoad):
        def upload(self, cloud: str, file: File, headers: Any) -> dict[str, Any]:
            raise TryFailedError("nobody there")

    sent = send(Road.API, Nowhere({"aws": "http://127.0.0.1:9"}, patience), FILE, patience)

    assert not sent.is_acknowledged
    assert 2 <= len(sent.attempts) <= 4
    assert sent.attempts[-1].began_at_ms - sent.attempts[0].began_at_ms <= 700


def test_answer_that_never_comes() -> None:
    """A server that accepts and is silent costs no more than the time limit."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        started_s = time.monotonic()
        with pytest.raises(NoAnswerError, match="no answer in time"):
            ask("POST", url, headers={}, body=b"x", until_s=started_s + 0.3)

    assert time.monotonic() - started_s < 2


def test_load_is_the_same_in_every_run() -> None:
    """Names, sizes and bytes come from the seed alone, and every file that was begun is told of."""

    def files_of_a_run() -> list[tuple[str, str]]:
        road = BucketRoad({"aws": lambda key, body: None})
        load = {Road.BUCKET: Load(per_s=50, least_bytes=10, most_bytes=1000)}
        generator = LoadGenerator({Road.BUCKET: road}, load, PATIENCE, seed=7)
        generator.start()
        wait_until(lambda: len(generator.sent) >= 5, timeout_s=10, what="five files sent")
        return sorted((each.name, each.sha256) for each in generator.stop())[:5]

    first, second = files_of_a_run(), files_of_a_run()

    assert first == second
    assert len(set(first)) == 5
