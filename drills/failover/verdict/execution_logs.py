"""Counts from the functions' logs how often `process` says that it recorded which upload."""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

_RECORDED = re.compile(rb"upload ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}): recorded\b")


def count_executions(folders: Mapping[str, Path]) -> dict[str, int]:
    """By upload id, over all clouds.

    Args:
        folders: Of each cloud, where its logs are.
    """
    counts: Counter[str] = Counter()
    for folder in folders.values():
        for path in sorted(folder.rglob("*.log")):
            counts.update(match.decode() for match in _RECORDED.findall(path.read_bytes()))
    return dict(counts)
