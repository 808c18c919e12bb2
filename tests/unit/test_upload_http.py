"""One request of the upload client, against servers that answer early, slowly or never; and the order of the clouds."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from handlers.peers.http_call import NoAnswerError
from handlers.upload.clouds import CloudOrder, OutOfTimeError, cloud_states
from handlers.upload.http import send

EARLY = b'HTTP/1.1 413 Too Large\r\nContent-Length: 17\r\nConnection: close\r\n\r\n{"limit_bytes":1}'


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server on loopback for one connection; gives its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        thread.join(timeout=10)


def test_answer_before_the_body_is_sent_is_read() -> None:
    """A server that refuses a body without reading it is heard, although sending to it fails."""

    def refuse(connection: socket.socket) -> None:
        connection.recv(2**16)
        connection.sendall(EARLY)

    with answering(refuse) as url:
        answer = send("POST", url, headers={}, body=ClosedPipe(), size_bytes=1000, timeout_s=5)

    assert (answer.status, answer.fields) == (413, {"limit_bytes": 1})


def test_trickling_answer_ends_in_time() -> None:
    """A server that sends a byte whenever silence would become too long is given up all the same."""
    is_over = threading.Event()

    def trickle(connection: socket.socket) -> None:
        connection.recv(2**16)
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200:
            if is_over.wait(timeout=0.05):
                return
            try:
                connection.sendall(bytes([byte]))
            except OSError:
                return

    began_s = time.monotonic()
    with answering(trickle) as url:
        with pytest.raises(NoAnswerError):
            send("GET", url, headers={}, size_bytes=0, timeout_s=0.5)
        took_s = time.monotonic() - began_s
        is_over.set()

    assert took_s < 2


def test_cloud_that_failed_comes_last_even_when_its_pause_is_over() -> None:
    """So a hung cloud costs its timeout once, and not again before every file; nor does its name bring it back."""
    now_s = [0.0]
    order = CloudOrder(
        clouds=cloud_states([("aws", "https://a"), ("gcp", "https://g")]),
        monotonic_s=lambda: now_s[0],
        sleep=lambda _s: None,
        jitter=lambda: 0.5,
    )
    order.note_failure(order.clouds[0], retry_after_s=None)
    now_s[0] = 1_000.0

    order.prefer("aws")

    assert order.next_cloud(give_up_at_s=2_000.0).name == "gcp"


def test_no_try_begins_when_the_time_is_up() -> None:
    """Not even at a cloud that may be tried."""
    order = CloudOrder(
        clouds=cloud_states([("aws", "https://a")]), monotonic_s=lambda: 5.0, sleep=lambda _s: None, jitter=lambda: 0.5
    )

    with pytest.raises(OutOfTimeError):
        order.next_cloud(give_up_at_s=5.0)


class ClosedPipe:
    """A body that ends as one does when the other side has closed the connection."""

    def read(self, size: int = -1, /) -> bytes:
        raise BrokenPipeError
