"""When the SDK's clients are made."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from providers.aws import clients

ROOT = Path(__file__).parents[3]


def test_reading_events_does_not_load_the_sdk() -> None:
    """The SDK is loaded by the first call that needs it: not by reading events, nor by naming a client."""
    script = """
import sys, providers.aws.events, providers.aws.clients as clients
clients.s3(), clients.dynamodb(), clients.sqs()
sys.exit("botocore" in sys.modules)
"""

    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, timeout=60, check=False)

    assert done.returncode == 0


def test_threads_share_one_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight threads that need a client first at the same time get the same one."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(clients, "_clients", {})
    lazy = clients.sqs()

    with ThreadPoolExecutor(8) as pool:
        metas = list(pool.map(lambda _: lazy.meta, range(8)))

    assert all(meta is metas[0] for meta in metas)


@pytest.mark.parametrize("service", ["s3", "dynamodb", "sqs"])
def test_settings_are_short_and_few(service: str) -> None:
    """No client waits or tries for long by itself, and a long poll of 20 s is no timeout."""
    config = clients.settings(service)

    assert config.retries == {"mode": "standard", "total_max_attempts": 2}
    assert config.connect_timeout <= 5
    assert config.read_timeout <= 30
    assert clients.settings("sqs").read_timeout > 20


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "uploads.s3.amazonaws.com"),
        ("eu-west-1", "uploads.s3.eu-west-1.amazonaws.com"),
        ("cn-north-1", "uploads.s3.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_presigned_urls_lead_to_the_region(monkeypatch: pytest.MonkeyPatch, region: str, host: str) -> None:
    """A URL names the region's own host: a redirect to it would break the signature, which covers the host."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    monkeypatch.setattr(clients, "_clients", {})

    url = clients.s3().generate_presigned_url("put_object", Params={"Bucket": "uploads", "Key": "k"})

    assert urlsplit(url).netloc == host
