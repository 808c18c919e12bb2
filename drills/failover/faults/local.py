"""Makes a scenario's faults on local clouds, and ends them."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

from drills.aws.cloud import LocalAws
from drills.failover.scenario import FaultName, TimedFault
from drills.fault_proxy import HEALTHY, Fault, FaultKind
from drills.outages import Outage, outage
from drills.together import Together

# A setting that the function cannot read: each call ends with an error before it has looked at its event.
_BROKEN_SETTING = {"SLUICE_ATTEMPT_COUNT": "as many as needed"}

_OUTAGES = {
    FaultName.FUNCTIONS_DEAD: Outage.FUNCTIONS,
    FaultName.STORAGE_DEAD: Outage.STORAGE,
    FaultName.QUEUE_DEAD: Outage.QUEUE,
    FaultName.LEDGER_DEAD: Outage.LEDGER,
    FaultName.OUTAGE: Outage.EVERYTHING,
    FaultName.HANG: Outage.HUNG,
}


def made_fault(together: Together, fault: TimedFault, *, seed: int) -> AbstractContextManager[None]:
    """The fault, from entering to leaving."""
    match fault.fault:
        case FaultName.SLOW:
            return _at_own_doors(together, fault.cloud, Fault(kind=FaultKind.DELAY, delay_ms=fault.delay_ms))
        case FaultName.THROTTLED:
            throttle = Fault(kind=FaultKind.THROTTLE, share=fault.share, seed=seed)
            return _at_own_doors(together, fault.cloud, throttle)
        case FaultName.CUT_OFF:
            return _cut_off(together, fault.cloud)
        case FaultName.BAD_DEPLOY:
            return _badly_deployed(together, fault.cloud)
        case FaultName.WATCH_FROZEN:
            return _frozen_watch(together, fault.cloud)
        case FaultName.CONCURRENCY_0:
            return _without_concurrency(together, fault.cloud)
        case _:
            return outage(together, fault.cloud, _OUTAGES[fault.fault])


def describe_fault(fault: TimedFault) -> str:
    """In words, for reports."""
    name = fault.fault.value.replace("-", " ")
    if fault.fault is FaultName.SLOW:
        return f"{name} (every answer {fault.delay_ms} ms later)"
    if fault.fault is FaultName.THROTTLED:
        return f"{name} ({fault.share:.0%} of all requests refused)"
    return name


@contextmanager
def _at_own_doors(together: Together, cloud: str, fault: Fault) -> Iterator[None]:
    doors = together.doors[cloud]
    doors.fail(fault, *doors.own)
    try:
        yield
    finally:
        doors.fail(HEALTHY, *doors.own)


@contextmanager
def _cut_off(together: Together, cloud: str) -> Iterator[None]:
    """Both ways: its own requests to the others, and theirs to it."""
    doors = [
        door
        for source, each in together.doors.items()
        for target, door in each.peers.items()
        if cloud in (source, target)
    ]
    together.doors[cloud].fail(Fault(kind=FaultKind.REFUSE), *doors)
    try:
        yield
    finally:
        together.doors[cloud].fail(HEALTHY, *doors)


@contextmanager
def _badly_deployed(together: Together, cloud: str) -> Iterator[None]:
    """`process` is deployed with a setting that makes no sense, and later with the one of before."""
    local = together.clouds[cloud].local
    before = dict(local.environment)
    local.redeploy({**before, **_BROKEN_SETTING})
    try:
        yield
    finally:
        local.redeploy(before)


@contextmanager
def _without_concurrency(together: Together, cloud: str) -> Iterator[None]:
    """Every further call of `process` is throttled; those that run go on."""
    local = together.clouds[cloud].local
    if not isinstance(local, LocalAws):
        raise ValueError("reserved concurrency is a matter of AWS")
    before = local.function.settings
    local.function.settings = replace(before, maximum_concurrency=0)
    try:
        yield
    finally:
        local.function.settings = before


@contextmanager
def _frozen_watch(together: Together, cloud: str) -> Iterator[None]:
    watch = together.watches[cloud]
    watch.pause()
    try:
        yield
    finally:
        watch.resume()
