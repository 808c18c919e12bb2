"""The drill's clients, one class for each road. They know the public HTTP API (docs/api.md), not the product's code."""

import json
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from drills.failover.load.bucket_clients import PUT_ERRORS, PutObject
from drills.failover.load.http_client import NoAnswerError, ask
from drills.failover.load.name_client import NameClient
from drills.failover.load.sending import File, Patience, TryFailedError

_AVOID_S = 10.0


class NameRoad:
    """Knows the name only: goes where it leads, and waits until it leads to something better."""

    def __init__(self, name: NameClient, clouds: Mapping[str, str], *, port: int, patience: Patience) -> None:
        """`clouds`: by their addresses, which the name may stand for; all serve at one port."""
        self._name, self._clouds, self._port, self._patience = name, clouds, port, patience

    def next_cloud(self, tried: Sequence[str]) -> str:
        try:
            return self._clouds[self._name.address()]
        except (OSError, KeyError) as error:
            raise TryFailedError(f"name: {error}") from error

    def pauses_after(self, try_count: int) -> bool:
        return True

    def key_of(self, file: File, try_number: int) -> str:
        return ""

    def attempt(self, cloud: str, file: File, headers: Mapping[str, str], *, key: str) -> str:
        # A client would say where the name leads, not which cloud failed before.
        kept = {name: value for name, value in headers.items() if name != "Sluice-Failed"}
        address = next(address for address, known in self._clouds.items() if known == cloud)
        fields = post_file(f"http://{address}:{self._port}", file, kept, self._patience)
        return receipt_id(fields, file)


class ListRoad:
    """Fails over by itself through a list; begins with the cloud that worked last, or that was said to be active.

    A cloud that failed is left alone for a while, also if another one says that it is active.
    """

    def __init__(self, urls: Mapping[str, str], patience: Patience) -> None:
        self.urls, self.patience = urls, patience
        self._lock = threading.Lock()
        self._preferred = next(iter(urls))
        self._avoided_until_s = dict.fromkeys(urls, 0.0)

    def next_cloud(self, tried: Sequence[str]) -> str:
        clouds = list(self.urls)
        if tried:
            return clouds[(clouds.index(tried[-1]) + 1) % len(clouds)]
        with self._lock:
            now_s = time.monotonic()
            free = [cloud for cloud in clouds if self._avoided_until_s[cloud] <= now_s]
            return self._preferred if self._preferred in free or not free else free[0]

    def pauses_after(self, try_count: int) -> bool:
        return try_count % len(self.urls) == 0

    def key_of(self, file: File, try_number: int) -> str:
        return ""

    def attempt(self, cloud: str, file: File, headers: Mapping[str, str], *, key: str) -> str:
        try:
            fields = self.upload(cloud, file, headers)
            upload_id = receipt_id(fields, file)
        except TryFailedError:
            with self._lock:
                self._avoided_until_s[cloud] = time.monotonic() + _AVOID_S
            raise
        active = str(fields.get("active") or cloud)
        with self._lock:
            self._preferred = active if active in self.urls else cloud
        return upload_id

    def upload(self, cloud: str, file: File, headers: Mapping[str, str]) -> dict[str, Any]:
        """One try; the fields of the receipt."""
        return post_file(self.urls[cloud], file, headers, self.patience)


class PresignedRoad(ListRoad):
    """Asks a cloud of the list where to put, puts the copies at once, and asks for the receipt."""

    def upload(self, cloud: str, file: File, headers: Mapping[str, str]) -> dict[str, Any]:
        url, copies = self.urls[cloud], self.patience.copies
        asked = {
            "name": file.name,
            "size_bytes": len(file.content),
            "sha256": file.sha256,
            "content_type": "application/octet-stream",
            "copies": copies,
        }
        given = self._post(f"{url}/v1/uploads:presign", asked, headers)
        try:
            ticket = given["ticket"]
            where = f"{url}/v1/uploads/{ticket['upload_id']}:complete"
            took_count = self._put_copies(given["targets"], file.content)
        except (KeyError, TypeError) as error:
            raise TryFailedError("the answer names no targets") from error
        if took_count < copies:
            raise TryFailedError(f"{took_count} of {copies} copies put")
        return self._post(where, {"ticket": ticket, "copies": copies}, headers)

    def _post(self, url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
        in_json = {**headers, "Content-Type": "application/json"}
        return post(url, json.dumps(body).encode(), in_json, self.patience, wanted=200)

    def _put_copies(self, targets: Mapping[str, Mapping[str, Any]], content: bytes) -> int:
        """Put to all targets at once; returns how many took it when enough did, or when all have answered."""
        until_s = time.monotonic() + self.patience.try_timeout_s
        answers: queue.SimpleQueue[bool] = queue.SimpleQueue()

        def put(url: str, headers: Mapping[str, str]) -> None:
            try:
                answers.put(ask("PUT", url, headers=headers, body=content, until_s=until_s).status in (200, 201))
            except NoAnswerError:
                answers.put(False)

        for target in targets.values():
            threading.Thread(target=put, args=(target["url"], target["headers"]), daemon=True).start()
        took_count = 0
        for _ in targets:
            took_count += answers.get()
            if took_count == self.patience.copies:
                break
        return took_count


class BucketRoad:
    """Puts into one bucket, or into the next cloud's if that fails. Each put makes an object with a key of its own."""

    def __init__(self, puts: Mapping[str, PutObject]) -> None:
        """`puts`: by cloud, the one to begin with first."""
        self._puts = puts

    def next_cloud(self, tried: Sequence[str]) -> str:
        return list(self._puts)[len(tried) % len(self._puts)]

    def pauses_after(self, try_count: int) -> bool:
        return try_count % len(self._puts) == 0

    def key_of(self, file: File, try_number: int) -> str:
        return f"drill/{try_number}/{file.name}"

    def attempt(self, cloud: str, file: File, headers: Mapping[str, str], *, key: str) -> str:
        try:
            self._puts[cloud](key, file.content)
        except (*PUT_ERRORS, OSError) as error:
            raise TryFailedError(f"put: {type(error).__name__}") from error
        return ""


def post_file(url: str, file: File, headers: Mapping[str, str], patience: Patience) -> dict[str, Any]:
    """POST a file; the receipt's fields, and as `active` the cloud that is, if it is not this one."""
    where = f"{url}/v1/uploads?name={file.name}&copies={patience.copies}"
    return post(where, file.content, {**headers, "Content-Type": "application/octet-stream"}, patience, wanted=201)


def receipt_id(fields: Mapping[str, Any], file: File) -> str:
    """The id in a receipt, if it is one of this very content; else it acknowledges nothing."""
    if fields.get("sha256") != file.sha256 or fields.get("size_bytes") != len(file.content):
        raise TryFailedError("the answer is no receipt of this file")
    return str(fields.get("upload_id"))


def post(url: str, body: bytes, headers: Mapping[str, str], patience: Patience, *, wanted: int) -> dict[str, Any]:
    """POST; the answer's fields if its status is the wanted one.

    Raises:
        TryFailedError: It is not, or there is none.
    """
    try:
        answer = ask("POST", url, headers=headers, body=body, until_s=time.monotonic() + patience.try_timeout_s)
    except NoAnswerError as error:
        raise TryFailedError(str(error)) from error
    if answer.status != wanted:
        problem = str(answer.fields.get("type", "")).rpartition("/")[2]
        raise TryFailedError(f"{answer.status} {problem}".strip())
    return {**answer.fields, "active": answer.headers.get("sluice-active", "")}
