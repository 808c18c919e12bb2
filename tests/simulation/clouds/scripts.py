"""Schedules for safety rules whose loss does harm only when several rare things come together."""

from collections.abc import Callable, Mapping

from tests.simulation.clouds.cloud import SimulatedCloud
from tests.simulation.clouds.faults import Condition, Fuse
from tests.simulation.clouds.short_schedules import JUMP_S, TWO_COPIES
from tests.simulation.clouds.world import World

_CALLS_TO_CONFIRM = 4  # of a worker with one object put straight into the bucket: receive, claim, open, confirm
_OUTAGE_ROUND_COUNT = 60
_MANY = 10**6


def worker_sleeps_past_its_lease(world: World) -> None:
    """A worker that stands before its confirm goes on when another one has recorded the upload."""

    def meanwhile() -> None:
        world.pass_time(JUMP_S)
        world.work("aws")

    world.put_object("a.dat", at="aws")
    world.under(Fuse(_CALLS_TO_CONFIRM, meanwhile), lambda: world.work("aws"))
    world.finish()


def two_clouds_cannot_read_their_copies(world: World) -> None:
    """Both clouds that hold a copy can do all but read it, for long."""
    for name in ("aws", "gcp"):
        world.clouds[name].services["store"].condition = Condition.NOT_OPENED
    world.upload(TWO_COPIES, at="aws")
    _outlast(world)


def cloud_dies_after_handing_over(world: World) -> None:
    """An object stands in one bucket only, which cannot be read; the cloud hands it over, and then dies for long."""
    aws = world.clouds["aws"]
    aws.services["store"].condition = Condition.NOT_OPENED
    world.put_object("a.dat", at="aws")
    world.work("aws")
    aws.are_functions_dead = True
    _outlast(world)


def two_switches_to_one_epoch(world: World) -> None:
    """A switch misses one cloud, and another one on old ground reaches just that."""
    held = dict(world.routes())
    world.set_link("person", "azure", Condition.UNUSABLE)
    world.move({"pinned": True})
    world.set_link("person", "azure", Condition.WELL)
    world.move({"active": "gcp"}, held=held)
    world.finish()


def pin_while_a_cloud_looks(world: World) -> None:
    """A person pins the route when a slow round has seen two clouds and not yet its own."""
    azure = world.clouds["azure"]

    def meanwhile() -> None:
        world.move({"pinned": True})
        world.pass_time(JUMP_S)

    world.under(_after_looks_of(azure, meanwhile, peer_count=2), lambda: world.watch("azure"))
    world.finish()


def pin_between_look_and_offer(world: World) -> None:
    """A known limit: the person sees no rival, the watch no pin, and the watch's epoch is the higher one."""
    azure, held = world.clouds["azure"], dict(world.routes())
    for name in ("aws", "gcp"):
        world.set_link("person", name, Condition.UNUSABLE)
    world.move({"active": "azure"}, held=held)  # reaches azure only
    world.heal()
    world.pass_time(JUMP_S)
    world.set_link("person", "azure", Condition.UNUSABLE)
    world.under(
        _after_looks_of(azure, lambda: world.move({"pinned": True}), peer_count=3), lambda: world.watch("azure")
    )


def _after_looks_of(cloud: SimulatedCloud, act: Callable[[], None], *, peer_count: int) -> Fuse:
    """A fuse that acts when a cloud's round has seen so many clouds, and a call or two later at most."""
    burning = Fuse(_MANY, lambda: None)
    for _ in range(2):  # the first look puts a probe, which the second one need not
        burning.call_count = _MANY
        cloud.network.fuse = burning
        for peer in cloud.peers[:peer_count]:
            peer.look()
    cloud.network.fuse = None
    return Fuse(_MANY - burning.call_count + 2, act)


def _outlast(world: World) -> None:
    for _ in range(_OUTAGE_ROUND_COUNT):
        world.pass_time(JUMP_S)
        for name in world.clouds:
            world.work(name, limit=10)
    world.checks.waiting()  # counts the messages of each upload
    world.finish()


SCRIPTS: Mapping[str, Callable[[World], None]] = {
    "confirm fenced by the claim": worker_sleeps_past_its_lease,
    "one work item for an own copy": two_clouds_cannot_read_their_copies,
    "work is passed on once": cloud_dies_after_handing_over,
    "a switch under way is left alone": pin_while_a_cloud_looks,
    "rivals of one epoch are overtaken": two_switches_to_one_epoch,
}
