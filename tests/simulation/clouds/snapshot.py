"""Takes a world's state out and puts it back, so that one world can go on from any state that it has been in."""

import copy
from typing import Any

from providers.memory.ledger import MemoryLedger
from providers.memory.work_queue import MemoryWorkQueue
from tests.simulation.clouds.cloud import SimulatedCloud
from tests.simulation.clouds.world import World


def take(world: World) -> tuple[Any, ...]:
    """The whole state; later changes of the world do not reach it."""
    checks = world.checks
    return (
        world.now_ms,
        dict(world.network.links),
        list(world.network.late),
        dict(checks.sent),
        dict(checks.owed),
        dict(checks.chosen),
        checks.pinned,
        checks.move_count,
        checks.calls.copy(),
        tuple(_take_cloud(cloud) for cloud in world.clouds.values()),
    )


def put_back(world: World, state: tuple[Any, ...]) -> None:
    """Make the world be as it was; the state may be used again."""
    checks = world.checks
    world.trace.clear()
    world.now_ms, links, late, sent, owed, chosen, checks.pinned, checks.move_count, calls, clouds = state
    world.network.links, world.network.late = dict(links), list(late)
    checks.sent, checks.owed, checks.chosen, checks.calls = dict(sent), dict(owed), dict(chosen), calls.copy()
    for cloud, parts in zip(world.clouds.values(), clouds, strict=True):
        _put_back_cloud(cloud, parts)


def key(world: World) -> object:
    """Two worlds with equal keys have equal futures. Numbers that only tell rows and messages apart are left out."""
    checks = world.checks
    return (
        world.now_ms,
        tuple(sorted(world.network.links.items())),
        tuple(checks.sent),
        tuple(sorted(checks.owed.items())),
        tuple(checks.chosen),
        checks.pinned,
        tuple(_key_of_cloud(cloud) for cloud in world.clouds.values()),
    )


def _take_cloud(cloud: SimulatedCloud) -> tuple[Any, ...]:
    return (
        cloud.is_gone,
        cloud.are_functions_dead,
        tuple(service.condition for service in cloud.services.values()),
        tuple((dict(table._rows), table._write_count) for table in (cloud.ledger, cloud.control)),
        (dict(cloud.bucket._objects), cloud.bucket._put_count),
        tuple((_copied(queue), queue._sent_count) for queue in (cloud.queue, cloud.parked)),
    )


def _put_back_cloud(cloud: SimulatedCloud, parts: tuple[Any, ...]) -> None:
    cloud.is_gone, cloud.are_functions_dead, conditions, tables, (objects, put_count), queues = parts
    for service, condition in zip(cloud.services.values(), conditions, strict=True):
        service.condition = condition
    for table, (rows, write_count) in zip((cloud.ledger, cloud.control), tables, strict=True):
        table._rows, table._write_count = dict(rows), write_count
    cloud.bucket._objects, cloud.bucket._put_count = dict(objects), put_count
    for queue, (messages, sent_count) in zip((cloud.queue, cloud.parked), queues, strict=True):
        queue._messages = {name: copy.copy(held) for name, held in messages.items()}
        queue._sent_count = sent_count


def _copied(queue: MemoryWorkQueue) -> dict[str, Any]:
    return {name: copy.copy(held) for name, held in queue._messages.items()}


def _key_of_cloud(cloud: SimulatedCloud) -> object:
    return (
        cloud.is_gone,
        cloud.are_functions_dead,
        tuple(service.condition for service in cloud.services.values()),
        _key_of_table(cloud.ledger),
        _key_of_table(cloud.control),
        tuple(cloud.bucket._objects),
        tuple(
            tuple((held.body, held.visible_at_ms, held.receive_count) for held in queue._messages.values())
            for queue in (cloud.queue, cloud.parked)
        ),
    )


def _key_of_table(table: MemoryLedger) -> object:
    return tuple((row_id, tuple(row.fields.items())) for row_id, row in sorted(table._rows.items()))
