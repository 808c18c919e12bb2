"""Gives each cloud's API an address of its own on loopback, 127.0.0.2 and on, all at one port, so that DNS can name it.

Bytes are passed on as they come. Where the API refuses, its clients see their connection reset.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from drills.supervisor import LOOPBACK, pick_free_port

Result = TypeVar("Result")

_CHUNK_BYTES = 64 * 1024
_STOP_TIMEOUT_S = 5.0


@contextmanager
def addresses_for(ports: Mapping[str, int]) -> Iterator[tuple[dict[str, str], int]]:
    """Serve each cloud's port at an address; gives the addresses by cloud, and their port."""
    port = pick_free_port()
    addresses = {cloud: f"127.0.0.{number}" for number, cloud in enumerate(ports, start=2)}
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="addresses", daemon=True)
    thread.start()
    servers: list[asyncio.Server] = []
    try:
        for cloud, address in addresses.items():
            servers.append(_run(loop, _serve(address, port, ports[cloud])))
        yield addresses, port
    finally:
        _run(loop, _end(servers))
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_STOP_TIMEOUT_S)
        loop.close()


def _run(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Result]) -> Result:
    return asyncio.run_coroutine_threadsafe(work, loop).result(_STOP_TIMEOUT_S)


async def _serve(address: str, port: int, target_port: int) -> asyncio.Server:
    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            above, below = await asyncio.open_connection(LOOPBACK, target_port)
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(_pass(reader, below), _pass(above, writer))

    return await asyncio.start_server(relay, address, port)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(OSError):
            while chunk := await reader.read(_CHUNK_BYTES):
                writer.write(chunk)
                await writer.drain()
    finally:
        writer.close()


async def _end(servers: Sequence[asyncio.Server]) -> None:
    for server in servers:
        server.close()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
