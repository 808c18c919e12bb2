"""Settings with clear errors, and the content type that the default logic finds."""

import gzip
import io
import zipfile

import pytest

from core.errors import ProviderUnusableError
from handlers.logic import sniff
from handlers.settings import read_settings


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "a")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("head", "key", "content_type"),
    [
        (b"", "a.pdf", "application/x-empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "no suffix", "image/png"),
        (b"%PDF-1.7\n", "wrong.png", "application/pdf"),
        (gzip.compress(b"x"), "a.gz", "application/gzip"),
        (zipped(), "a", "application/zip"),
        (zipped(), "a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        (b'[{"a": 1}]', "a.json", "application/json"),
        ("grüße\n".encode(), "a", "text/plain"),
        ("ü".encode() * 10 + "ü".encode()[:1], "cut inside a character", "text/plain"),
        (bytes(range(8, 250)), "../../x.$(rm)", "application/octet-stream"),
        (b"\xfa\x00\x01 no text", "a.txt\n", "application/octet-stream"),
    ],
)
def test_content_type(head: bytes, key: str, content_type: str) -> None:
    """The first bytes decide; the suffix only where they leave it open; a hostile key does no harm."""
    assert sniff(head, key=key) == content_type


def test_settings_have_defaults() -> None:
    """Only the cloud must be named."""
    settings = read_settings({"SLUICE_CLOUD": "aws"})

    assert (settings.policy.attempt_count, settings.concurrency_count, settings.lease_margin_s) == (5, 4, 10)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLUICE_CLOUD", ""),
        ("SLUICE_ATTEMPT_COUNT", "0"),
        ("SLUICE_ATTEMPT_COUNT", "many"),
        ("SLUICE_CONCURRENCY", "-1"),
        ("SLUICE_CONCURRENCY", "1e3"),
        ("SLUICE_LEASE_MARGIN_S", "٣"),
    ],
)
def test_bad_setting_is_named(name: str, value: str) -> None:
    """A setting that makes no sense is an error that names it."""
    with pytest.raises(ProviderUnusableError, match=name):
        read_settings({"SLUICE_CLOUD": "aws", name: value})
