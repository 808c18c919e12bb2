"""A proxy on loopback in front of one service, where a drill makes that service's faults.

    with FaultProxy(upstream_port=port, service=Service.S3) as proxy:
        proxy.fault = Fault(kind=FaultKind.DROP_ANSWER, share=0.5, method="PUT")
        …
        proxy.heal()

Each has a thread of its own, and may be set from any other. A fault holds from the next request on; REFUSE and RESET
also end the connections that stand.
"""

import asyncio
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from drills.http_relay import (
    HEAD_MAX_BYTES,
    BrokenMessageError,
    Head,
    Upstream,
    drop,
    pass_request_body,
    read_head,
)
from drills.supervisor import LOOPBACK, Runs
from drills.throttled_answers import Service, throttled_answer

_BACKLOG = 256
_STOP_TIMEOUT_S = 10.0
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time

_STEPS_UNTIL_SERVED = (
    4  # of the loop, from accepting a client; a task that is cancelled before its first step closes nothing
)


class FaultKind(StrEnum):
    """What goes wrong."""

    NONE = "none"
    REFUSE = "refuse"  # nobody listens
    RESET = "reset"  # connections are accepted and reset
    HANG = "hang"  # accepted and not answered; served when it is healed, unless the client has left
    DELAY = "delay"
    THROTTLE = "throttle"  # answered as the service does when it is asked too much
    DROP_ANSWER = "drop answer"  # the work is done, and the connection ends without an answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault, and whom it meets.

    Attributes:
        share: Of the requests, 0 to 1, chosen by chance from `seed`. REFUSE meets all.
        method: Only requests of this method; "" for all. REFUSE meets all.
        path_prefix: Only requests whose target begins so. REFUSE meets all.
        delay_ms: Of DELAY, before the request goes on.
    """

    kind: FaultKind
    share: float = 1.0
    seed: int = 0
    method: str = ""
    path_prefix: str = ""
    delay_ms: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"share must be from 0 to 1, not {self.share}")
        if self.kind is FaultKind.REFUSE and not self.meets_all:
            raise ValueError("a service that refuses connections cannot tell one request from another")

    @property
    def meets_all(self) -> bool:
        return self.share == 1 and not self.method and not self.path_prefix

    def meets(self, request: Head, chance: random.Random) -> bool:
        """Whether it meets this request; takes from chance only where the filter lets the request through."""
        method, target, _ = request.start
        is_meant = self.method in ("", method) and target.startswith(self.path_prefix)
        return is_meant and (self.share == 1 or chance.random() < self.share)


HEALTHY = Fault(kind=FaultKind.NONE)


class FaultProxy(Runs):
    """Forwards to one port on loopback. Its own port is held from the start, also while it refuses connections.

    It may have further addresses (`listen_also`), where the same faults are made.

    Attributes:
        name: For messages.
        request_count: Requests that came, with or without a fault.
        fault_counts: Faults that were made, by kind; of REFUSE only those connections that it ended.
        lost_upstream_count: Requests that met no upstream, or one that went away; their clients were reset.
    """

    def __init__(self, *, upstream_port: int, service: Service, name: str = "") -> None:
        self.name = name or service.value
        self.upstream_port = upstream_port
        self.request_count = 0
        self.fault_counts: Counter[FaultKind] = Counter()
        self.lost_upstream_count = 0
        self._service = service
        self._fault, self._chance = HEALTHY, random.Random()  # noqa: S311 (no secret)
        self._holders = [_bound_socket(LOOPBACK, 0)]  # bound and not listening: refuses, and nobody else gets the port
        self.port: int = self._holders[0].getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run_loop, name=f"proxy {self.name}", daemon=True)
        self._changed = asyncio.Event()
        self._listening: list[socket.socket] = []
        self._clients: set[asyncio.StreamWriter] = set()
        self._taking: set[asyncio.Task[Any]] = set()
        self._serving: set[asyncio.Task[Any] | None] = set()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def fault(self) -> Fault:
        return self._fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        self._call(self._set(fault))

    @property
    def client_count(self) -> int:
        """Connections that stand."""
        return len(self._clients)

    def heal(self) -> None:
        """Let everything through, also what hangs."""
        self.fault = HEALTHY

    def start(self) -> None:
        self._thread.start()
        self._call(self._listen(self._holders))

    def listen_also(self, address: str, port: int = 0) -> int:
        """Take clients at a further address of this machine, until it stops; gives the port, for 0 a free one.

        Raises:
            OSError: The machine has no such address, or the port is taken there.
        """
        holder = _bound_socket(address, port)
        self._call(self._hold_also(holder))
        found: int = holder.getsockname()[1]
        return found

    def stop(self) -> None:
        """End all connections, and give the port back."""
        if self._thread.is_alive():
            self._call(self._end())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_STOP_TIMEOUT_S)
        self._loop.close()
        for holder in self._holders:
            holder.close()

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_STOP_TIMEOUT_S)

    async def _set(self, fault: Fault) -> None:
        self._fault, self._chance = fault, random.Random(fault.seed)  # noqa: S311
        self._changed.set()
        self._changed = asyncio.Event()
        if fault.kind is FaultKind.REFUSE:
            self._stop_listening()
        if fault.kind in (FaultKind.REFUSE, FaultKind.RESET) and fault.meets_all:
            self.fault_counts[fault.kind] += len(self._clients)
            self._reset_all()
        if fault.kind is not FaultKind.REFUSE and not self._listening:
            await self._listen(self._holders)

    async def _hold_also(self, holder: socket.socket) -> None:
        self._holders.append(holder)
        if self._listening:  # else it refuses
            await self._listen([holder])

    # By hand, since a server of asyncio's forgets whom it has just accepted when it is closed.
    async def _listen(self, holders: Sequence[socket.socket]) -> None:
        for holder in holders:
            listener = _bound_socket(*holder.getsockname())
            listener.setblocking(False)
            listener.listen(_BACKLOG)
            self._listening.append(listener)
            self._loop.add_reader(listener, self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(BlockingIOError, ConnectionError):  # it left at once
            client, _ = listener.accept()
            client.setblocking(False)
            taking = self._loop.create_task(self._loop.connect_accepted_socket(self._make_protocol, client))
            self._taking.add(taking)
            taking.add_done_callback(self._taking.discard)

    def _make_protocol(self) -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(_ClientReader(limit=HEAD_MAX_BYTES), self._serve)

    def _stop_listening(self) -> None:
        for listener in self._listening:
            self._loop.remove_reader(listener)
            listener.close()
        self._listening = []

    async def _end(self) -> None:
        self._stop_listening()
        for _ in range(_STEPS_UNTIL_SERVED):
            await asyncio.sleep(0)
        self._reset_all()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _reset_all(self) -> None:
        for client in self._clients:
            _reset(client)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until it or its upstream ends the connection."""
        assert isinstance(reader, _ClientReader)  # for the type checker: `_listen` makes it
        self._clients.add(writer)
        serving = asyncio.current_task()
        self._serving.add(serving)  # asyncio keeps no task alive whose connection was reset
        upstream = Upstream(self.upstream_port)
        try:
            if self._fault.kind is FaultKind.RESET and self._fault.meets_all:
                self.fault_counts[FaultKind.RESET] += 1
                _reset(writer)
                return
            while (request := await read_head(reader)) is not None:
                if not await self._serve_one(request, reader, writer, upstream):
                    break
        except (BrokenMessageError, OSError, asyncio.CancelledError):  # only `_end` cancels
            _reset(writer)
        finally:
            self._clients.discard(writer)
            self._serving.discard(serving)
            upstream.close()
            writer.close()

    async def _serve_one(
        self, request: Head, reader: "_ClientReader", writer: asyncio.StreamWriter, upstream: Upstream
    ) -> bool:
        """Serve one request, or make it fail. Whether the connection goes on."""
        self.request_count += 1
        fault = self._fault if self._fault.meets(request, self._chance) else HEALTHY
        if fault.kind is not FaultKind.NONE:
            self.fault_counts[fault.kind] += 1
        match fault.kind:
            case FaultKind.RESET:
                _reset(writer)
                return False
            case FaultKind.THROTTLE:
                await self._throttle(request, reader, writer)
                return False
            case FaultKind.DELAY:
                await asyncio.sleep(fault.delay_ms / 1000)
            case FaultKind.HANG if not await self._hang(fault, reader):
                return False
        is_dropped = fault.kind is FaultKind.DROP_ANSWER
        try:
            goes_on = await upstream.ask(request, reader, writer, is_answer_dropped=is_dropped)
        except (BrokenMessageError, OSError):
            self.lost_upstream_count += not reader.ended.is_set()  # else the client is to blame
            raise
        return goes_on and not is_dropped

    async def _throttle(self, request: Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer as the service does; first read what was sent, or the answer would be lost in a reset."""
        if request.headers.get("expect", "").lower() != "100-continue":
            await pass_request_body(request, reader, drop)
        writer.write(throttled_answer(self._service).raw)
        await writer.drain()

    async def _hang(self, fault: Fault, reader: "_ClientReader") -> bool:
        """Wait until another fault, or none, is set. Whether the client is still there then."""
        while self._fault is fault and not reader.ended.is_set():
            waits = [asyncio.ensure_future(event.wait()) for event in (self._changed, reader.ended)]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waits:
                    each.cancel()
        return not reader.ended.is_set()


class _ClientReader(asyncio.StreamReader):
    """Knows at once when its client has left, also while nobody reads. `ended` is set then."""

    def __init__(self, *, limit: int) -> None:
        super().__init__(limit=limit)
        self.ended = asyncio.Event()

    def feed_eof(self) -> None:
        super().feed_eof()
        self.ended.set()

    def set_exception(self, exc: Exception) -> None:
        super().set_exception(exc)
        self.ended.set()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection so that the other side sees a reset, and not an end."""
    with suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()


def _bound_socket(address: str, port: int) -> socket.socket:
    """Several of ours may be bound to one port; of them only one listens at a time."""
    # With the protocol named, because only then asyncio sends small pieces at once (40 ms per request otherwise).
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind((address, port))
    except OSError:
        bound.close()
        raise
    return bound
