"""Works off one cloud's queue from here when its functions do not: `npx sls failover drain --from C`."""

import importlib
from collections.abc import Callable, Mapping, Sequence

from core.drain import Drain, Drained
from core.handover import HandOver
from core.peer import Peer
from core.ports import Cloud
from core.route import Route
from handlers.federation import federated


def drain_cloud(
    cloud: str,
    connected: Cloud,
    *,
    peers: Sequence[Peer],
    route: Route | None,
    clock_ms: Callable[[], int],
    stop_at_ms: int,
    env: Mapping[str, str],
) -> Drained:
    """Give what waits in a cloud's queue to the other clouds, the active one first.

    Args:
        connected: That cloud's own queue and bucket, with credentials that may receive, delete and sign.
        peers: All clouds; the drained one is left out.
        env: May ask for an identity of this machine with which that cloud can be reached (handlers/federation.py).

    Raises:
        StepError: The queue cannot be read, or there is no such identity.
    """
    order = (route.active, *route.order) if route else ()
    others = sorted(
        (peer for peer in peers if peer.cloud != cloud),
        key=lambda peer: order.index(peer.cloud) if peer.cloud in order else len(order),
    )
    drain = Drain(
        work=connected.work,
        parse=importlib.import_module(f"providers.{cloud}.events").parse,
        hand_over=HandOver(store=connected.store, peers=others),
        peers=others,
        clock_ms=clock_ms,
    )
    with federated(env, target=cloud):
        return drain.run(stop_at_ms=stop_at_ms)
