"""Local clouds that work together: each serves its API and knows the others, through doors that can be shut."""

import hashlib
import http.client
import json
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from core.parts import PART_MIN_BYTES
from drills.among_others import Settings
from drills.fault_proxy import Fault, FaultKind
from drills.together import Together, running_together
from drills.waiting import wait_until

ORDER = ("gcp", "aws", "azure")
WAIT_S = 40.0


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Together]:
    settings = Settings(copies=2, peer_timeout_s=2)
    watch_options = ("--every-s", "0.5", "--fail-count", "1000")
    folder = tmp_path_factory.mktemp("clouds")
    with running_together(ORDER, folder, settings=settings, watch_options=watch_options, keeps_objects=False) as clouds:
        yield clouds


def ask(together: Together, cloud: str, method: str, path: str, body: bytes = b"") -> tuple[int, Any]:
    """One request of the client."""
    headers = {"Authorization": f"Bearer {together.settings.api_key}", "Content-Type": "application/json"}
    with closing(http.client.HTTPConnection(urlsplit(together.urls[cloud]).netloc, timeout=20)) as connection:
        connection.request(method, path, body=body or None, headers=headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def put(target: dict[str, Any], body: bytes) -> int:
    """Follow a presigned target."""
    url = urlsplit(target["url"])
    with closing(http.client.HTTPConnection(url.netloc, timeout=20)) as connection:
        connection.request("PUT", f"{url.path}?{url.query}", body=body, headers=target["headers"])
        return connection.getresponse().status


def recorded_in(together: Together, upload_id: str) -> set[str]:
    return {
        name
        for name, cloud in together.clouds.items()
        for row in cloud.drilled.scan()
        if row["upload_id"] == upload_id and row.get("state") == "recorded"
    }


@pytest.mark.parametrize("cloud", ORDER)
def test_upload_at_any_cloud_is_recorded_everywhere(together: Together, cloud: str) -> None:
    """Each API takes an upload in, through its real runtime; the active cloud records it and tells the others."""
    status, receipt = ask(together, cloud, "POST", f"/v1/uploads?name={cloud}.txt", b"{}")

    assert (status, len(receipt["copies"]), receipt["home"]) == (201, 2, "gcp")
    wait_until(
        lambda: recorded_in(together, receipt["upload_id"]) == set(ORDER), timeout_s=WAIT_S, what="recorded everywhere"
    )


@pytest.mark.parametrize("cloud", ORDER)
def test_client_puts_the_copies_itself(together: Together, cloud: str) -> None:
    """Presigned targets in every cloud lead through its doors, and what was put there is acknowledged and recorded."""
    content = b"presigned by " + cloud.encode()
    asked = {"name": "a.txt", "size_bytes": len(content), "content_type": "text/plain"}

    status, given = ask(together, cloud, "POST", "/v1/uploads:presign", json.dumps(asked).encode())
    assert (status, set(given["targets"])) == (200, set(ORDER))
    statuses = {name: put(target, content) for name, target in given["targets"].items()}
    assert set(statuses.values()) <= {200, 201}, statuses
    upload_id, ticket = given["ticket"]["upload_id"], json.dumps({"ticket": given["ticket"]}).encode()
    status, receipt = ask(together, cloud, "POST", f"/v1/uploads/{upload_id}:complete", ticket)

    assert (status, len(receipt.get("copies", ())) >= 2) == (200, True), receipt
    wait_until(lambda: recorded_in(together, upload_id), timeout_s=WAIT_S, what="recorded")


def test_client_puts_the_copies_in_parts(together: Together) -> None:
    """Parts put in every cloud are joined there, whole, by whichever API is asked, and recorded as one upload."""
    content = hashlib.shake_256(b"parts").digest(PART_MIN_BYTES + 7)
    sha256 = hashlib.sha256(content).hexdigest()
    asked = {"name": "a.bin", "size_bytes": len(content), "sha256": sha256, "copies": 3, "parts": True}

    status, given = ask(together, "gcp", "POST", "/v1/uploads:presign", json.dumps(asked).encode())
    assert (status, set(given["targets"])) == (200, set(ORDER))
    part_bytes, told = given["part_bytes"], {}
    for cloud, target in given["targets"].items():
        parts = [content[:part_bytes], content[part_bytes:]]
        etags = [put_part(each, part) for each, part in zip(target["parts"], parts, strict=True)]
        told[cloud] = {"handle": target["handle"], "etags": etags}
    upload_id = given["ticket"]["upload_id"]
    body = json.dumps({"ticket": given["ticket"], "copies": 3, "parts": told}).encode()
    status, receipt = ask(together, "aws", "POST", f"/v1/uploads/{upload_id}:complete", body)

    assert (status, receipt.get("copies")) == (200, sorted(ORDER)), receipt
    wait_until(lambda: recorded_in(together, upload_id) == set(ORDER), timeout_s=WAIT_S, what="recorded everywhere")
    status, record = ask(together, "azure", "GET", f"/v1/uploads/{upload_id}")
    assert (record["sha256"], record["size_bytes"]) == (sha256, len(content))


def put_part(target: dict[str, Any], body: bytes) -> str:
    """Follow the target of one part; gives the ETag, "" if there is none."""
    url = urlsplit(target["url"])
    with closing(http.client.HTTPConnection(url.netloc, timeout=20)) as connection:
        connection.request("PUT", f"{url.path}?{url.query}", body=body, headers=target["headers"])
        answer = connection.getresponse()
        answer.read()
        assert answer.status in (200, 201)
        return answer.headers.get("ETag", "")


def test_cut_between_two_clouds_only(together: Together) -> None:
    """One cloud does not reach another, which all others reach, and which reaches it."""
    together.doors["aws"].peers["azure"].fault = Fault(kind=FaultKind.REFUSE)

    wait_until(lambda: "azure no answer" in last_line(together, "aws"), timeout_s=WAIT_S, what="aws sees it")
    seen = {cloud: last_line(together, cloud) for cloud in ("gcp", "azure")}
    together.doors["aws"].heal()
    wait_until(lambda: "azure well" in last_line(together, "aws"), timeout_s=WAIT_S, what="aws sees it again")

    assert all("no answer" not in line for line in seen.values())


def last_line(together: Together, cloud: str) -> str:
    """What this cloud's watch said last."""
    lines = [line for line in together.watches[cloud].log_path.read_text().splitlines() if " route " in line]
    return lines[-1] if lines else ""


def test_peers_file(together: Together) -> None:
    """Only its owner may read where the clouds are and by which keys; the keys are those that the clouds have."""
    told = json.loads(together.peers_file.read_text())

    assert stat.S_IMODE(together.peers_file.stat().st_mode) == 0o600
    assert {cloud: peer["url"] for cloud, peer in told["peers"].items()} == together.urls
    assert told["peers"]["aws"]["origins"] == [together.doors["aws"].store.url]
    assert (told["keys"], told["api_key"]) == (together.settings.keys, together.settings.api_key)


def test_restart_in_the_same_folder(tmp_path: Path) -> None:
    """What was uploaded through the API is there in the next run, whose addresses and keys are others."""
    with running_together(["gcp"], tmp_path) as first:
        _, receipt = ask(first, "gcp", "POST", "/v1/uploads?name=a.txt", b"{}")
        wait_until(lambda: recorded_in(first, receipt["upload_id"]), timeout_s=WAIT_S, what="recorded")
    assert not first.peers_file.exists()

    with running_together(["gcp"], tmp_path) as second:
        status, record = ask(second, "gcp", "GET", f"/v1/uploads/{receipt['upload_id']}")

    assert (status, record["state"], second.watches) == (200, "recorded", {})
    assert second.settings.api_key != first.settings.api_key
