"""The load: files at an even rate by each road, bounded in how many are under way at once."""

import random
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from drills.failover.history import Sent
from drills.failover.load.sending import Client, File, Patience, send
from drills.failover.scenario import Load, Road

_AT_ONCE_COUNT = 48  # for each road; with all of them waiting, files are sent later than planned


class LoadGenerator:
    """Sends from `start` to `stop`.

    Attributes:
        sent: What has ended so far, whether acknowledged or not.
    """

    def __init__(
        self,
        clients: Mapping[Road, Client],
        load: Mapping[Road, Load],
        patience: Patience,
        *,
        seed: int,
        on_sent: Callable[[Sent], None] = lambda _: None,
    ) -> None:
        self.sent: list[Sent] = []
        self._clients, self._load, self._patience, self._seed = clients, load, patience, seed
        self._on_sent = on_sent
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._sending: list[Future[None]] = []
        self._pacers = [threading.Thread(target=self._pace, args=(road,), name=f"load {road}") for road in load]

    def start(self) -> None:
        for pacer in self._pacers:
            pacer.start()

    def stop(self) -> list[Sent]:
        """Begin no further file, wait for those under way (each gives up in time), and return all.

        What a client's thread raised that it should not is raised here.
        """
        self._stopped.set()
        for pacer in self._pacers:
            pacer.join()
        for each in self._sending:
            each.result()
        return list(self.sent)

    def _pace(self, road: Road) -> None:
        load = self._load[road]
        slots = threading.BoundedSemaphore(_AT_ONCE_COUNT)
        due_s = time.monotonic()
        number = 0
        with ThreadPoolExecutor(_AT_ONCE_COUNT, thread_name_prefix=f"client {road}") as pool:
            while not self._stopped.wait(max(0.0, due_s - time.monotonic())):
                due_s += 1 / load.per_s
                number += 1
                slots.acquire()
                sending = pool.submit(self._send, road, self._file(road, number, load))
                sending.add_done_callback(lambda _: slots.release())
                self._sending.append(sending)

    def _send(self, road: Road, file: File) -> None:
        done = send(road, self._clients[road], file, self._patience)
        with self._lock:
            self.sent.append(done)
        self._on_sent(done)

    def _file(self, road: Road, number: int, load: Load) -> File:
        """The same in every run of the same seed."""
        chance = random.Random(f"{self._seed}/{road}/{number}")  # noqa: S311 (no secret)
        size_bytes = chance.randint(load.least_bytes, load.most_bytes)
        return File(name=f"{road}-{self._seed}-{number:05}.bin", content=chance.randbytes(size_bytes))
