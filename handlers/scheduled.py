"""What each cloud's scheduler calls every minute: upkeep first, then looks at all clouds until the next call.

A cloud alone has nobody to look at, and only its bucket to sweep.
"""

import os
import time
from collections.abc import Callable, Mapping

from core.ports import Cloud
from core.upkeep import Upkeep
from core.votes import SwitchPolicy
from handlers.peers.settings import read_peer_settings
from handlers.wiring import clock_ms, make_others, make_watch

_LOOK_EVERY_S = 5
_UPKEEP_SHARE = 0.3  # of the time
_ROUND_MS = 10_000  # the longest that a look at clouds that hang may take


def run_minute(
    connected: Cloud,
    *,
    deadline_at_ms: int,
    env: Mapping[str, str] = os.environ,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Do this cloud's part for a minute. Returns how often it looked.

    Raises:
        StepError: The settings make no sense, or this cloud's own control table cannot be read.
    """
    settings = read_peer_settings(env)
    now_ms = clock_ms()
    upkeep = Upkeep(cloud=settings.cloud, services=connected, others=make_others(settings), clock_ms=clock_ms)
    upkeep.run(stop_at_ms=now_ms + int(_UPKEEP_SHARE * (deadline_at_ms - now_ms)))
    if not settings.peers:
        return 0
    watch = make_watch(connected=connected, settings=settings, policy=SwitchPolicy())
    look_count = 0
    while clock_ms() + _ROUND_MS < deadline_at_ms:
        watch.run_round()
        look_count += 1
        sleep(_LOOK_EVERY_S)
    return look_count
