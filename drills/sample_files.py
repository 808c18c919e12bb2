"""Files for drills: several kinds and sizes, and keys that break careless code. They are the same in each run."""

import gzip
import hashlib
import io
import json
import struct
import zipfile
import zlib
from dataclasses import dataclass

MIB = 1024 * 1024
LONGEST_KEY_BYTES = 1024  # Amazon S3 User Guide, "Naming Amazon S3 objects": of UTF-8

_HOSTILE_KEYS = (
    "a+b %2B/..x",
    "../../etc/passwd",
    "%41",
    "A",
    "/leading//double slash/",
    "line\nbreak\ttab.txt",
    "<script>alert(1)</script>&amp;'\".txt",
    "photos/🦥🏳️‍🌈 sloth.txt",
    "composed \N{LATIN SMALL LETTER E WITH ACUTE}.txt",
    "decomposed e\N{COMBINING ACUTE ACCENT}.txt",
    "長い名前/日本語 العربية.txt",
    "l" * (LONGEST_KEY_BYTES - len(".txt")) + ".txt",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFile:
    """A file to upload, and the content type that it truly has."""

    key: str
    body: bytes
    content_type: str


def make_sample_files() -> list[SampleFile]:
    """Make ordinary files of many kinds, small texts under hostile keys, and one that needs a multipart upload."""
    records = [{"number": number, "name": f"Name {number}"} for number in range(100)]
    ordinary = {
        "notes/readme.txt": ("Grüße aus dem Faultierwald.\n".encode() * 50, "text/plain"),
        "data/records.json": (json.dumps(records).encode(), "application/json"),
        "images/gradient.png": (_png(width=64, height=64), "image/png"),
        "documents/page.pdf": (_pdf("Sluice"), "application/pdf"),
        "logs/app.log.gz": (gzip.compress(b"all is well\n" * 1000, mtime=0), "application/gzip"),
        "archives/two.zip": (_zip({"a.txt": b"a", "b.txt": b"b" * 1000}), "application/zip"),
        "empty.dat": (b"", "application/x-empty"),
        "random-1-MiB.bin": (_noise(MIB), "application/octet-stream"),
    }
    files = [SampleFile(key=key, body=body, content_type=kind) for key, (body, kind) in ordinary.items()]
    files += [
        SampleFile(key=key, body=f"content of {key}".encode(), content_type="text/plain") for key in _HOSTILE_KEYS
    ]
    large = SampleFile(key="random-64-MiB.bin", body=_noise(64 * MIB), content_type="application/octet-stream")
    return [*files, large]


def _noise(size_bytes: int) -> bytes:
    """Return bytes without any pattern, always the same ones: the output of a hash function, as long as wanted."""
    return hashlib.shake_256(b"sluice").digest(size_bytes)


def _png(*, width: int, height: int) -> bytes:
    """Return a greyscale gradient (Portable Network Graphics specification: signature, IHDR, IDAT, IEND)."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = b"".join(b"\0" + bytes((x + y) % 256 for x in range(width)) for y in range(height))
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def _pdf(text: str) -> bytes:
    """Return one page with a line of text, with a correct cross-reference table."""
    drawing = f"BT /F1 24 Tf 72 720 Td ({text}) Tj ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        " /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        f"<< /Length {len(drawing)} >>\nstream\n{drawing}\nendstream",
    ]
    pdf = "%PDF-1.4\n"
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(pdf))
        pdf += f"{number} 0 obj\n{content}\nendobj\n"
    entries = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    count = len(objects) + 1
    table = f"xref\n0 {count}\n0000000000 65535 f \n{entries}trailer\n<< /Size {count} /Root 1 0 R >>\n"
    return f"{pdf}{table}startxref\n{len(pdf)}\n%%EOF\n".encode("ascii")


def _zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(zipfile.ZipInfo(name), body)
    return buffer.getvalue()
