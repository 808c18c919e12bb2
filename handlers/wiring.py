"""Puts the core together with a cloud's parts, the clock and chance."""

import importlib
import logging
import os
import random
import time
import uuid
from collections.abc import Callable, Sequence

from core.errors import ProviderUnusableError
from core.pipeline import Pipeline
from core.ports import Cloud
from core.upload import Notice
from core.worker import Worker
from handlers.logic import handle_upload
from handlers.settings import Settings

CLOUDS = ("aws", "azure", "gcp")


def connect(cloud: str) -> Cloud:
    """The parts of the named cloud, from that cloud's entrypoint module."""
    if cloud not in CLOUDS:
        raise ProviderUnusableError(f"there is no cloud {cloud!r}; there are: {', '.join(CLOUDS)}")
    connected: Cloud = importlib.import_module(f"handlers.{cloud}").connect()
    return connected


def make_worker(
    *, cloud: str, connected: Cloud, parse: Callable[[str], Sequence[Notice]], settings: Settings
) -> Worker:
    """A worker for the messages of one cloud."""
    logging.getLogger("sluice").setLevel(os.environ.get("AWS_LAMBDA_LOG_LEVEL", "INFO"))
    pipeline = Pipeline(
        cloud=cloud,
        store=connected.store,
        ledger=connected.ledger,
        handle_upload=handle_upload,
        clock_ms=clock_ms,
        policy=settings.policy,
        lease_margin_s=settings.lease_margin_s,
    )
    return Worker(
        pipeline=pipeline,
        work=connected.work,
        parked=connected.parked,
        parse=parse,
        owner=uuid.uuid4().hex,
        jitter=random.random,
    )


def clock_ms() -> int:
    return time.time_ns() // 1_000_000
