"""Deployed clouds as the scene of a drill: found by a peers file, seen and read through their own APIs.

What a local drill looks at past all faults is asked of the clouds themselves here, with requests signed as the
operator's (handlers/peers): health, route and vote of `GET /v1/health`, records of `GET /v1/records`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from core.errors import StepError
from core.record import to_fields
from core.route import Route
from core.votes import Vote
from drills.failover.drill import WARM_UP
from drills.failover.faults.aws import AwsFaults
from drills.failover.faults.google import GoogleFaults
from drills.failover.faults.local import describe_fault
from drills.failover.history import Row
from drills.failover.load.bucket_clients import PutObject, lacking_credentials, put_into_deployed
from drills.failover.load.clients import NameRoad
from drills.failover.load.name_client import NameClient
from drills.failover.load.sending import Client, Patience
from drills.failover.load.url_road import UrlRoad
from drills.failover.scenario import Road, Scenario, Target
from drills.failover.scene import LookFailedError, MakeNameRoad, Pace, Scene
from drills.failover.verdict.agreement import kept_fields
from drills.failover.verdict.control_rows import CastVote, HeldRoute, SeenCloud
from handlers.failover.clouds import GATHER, KnownClouds, connect_peers
from handlers.failover.view import View, look_at
from handlers.peers.http_peer import HttpPeer
from handlers.wiring import clock_ms

_PACE = Pace(control_s=1.0, ledgers_s=2.0, fail_count=3)
_PAGE_COUNT = 500
_PAGES_MAX_COUNT = 400  # a ledger of 200,000 records, read every few seconds, is no place for a drill
_REAL = "Real      all of it; seen through its own API only\n"


class NotReadyError(Exception):
    """The clouds are not such that a drill may begin; nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What the command line says of the clouds, beside their peers file.

    Attributes:
        name_url: That leads to the active cloud; "": the peers file's "dns", if it has that.
        buckets: Names by cloud, to put into straight.
        aws_functions: What the names of the functions begin with.
        google_service: The Cloud Run service of `process`, as projects/P/locations/L/services/S.
    """

    peers_file: Path
    name_url: str = ""
    buckets: Mapping[str, str] = field(default_factory=dict)
    aws_functions: str = "sluice-dev"
    google_service: str = ""


def route_of(known: KnownClouds) -> Route:
    """The route, of clouds that are ready for a drill: all answer and are well, the preferred one is active.

    Raises:
        NotReadyError: They are not.
        CloudsUnknownError: The peers file has no keys.
    """
    peers = connect_peers(known, clock_ms=clock_ms)
    view: View = look_at(peers, gather=GATHER, now_ms=clock_ms())
    ailing = [f"{cloud} {ailment}" for cloud in view.clouds if (ailment := view.ailment(cloud))]
    if ailing:
        raise NotReadyError(f"a drill begins when all clouds are well: {'; '.join(ailing)}")
    route = view.chosen
    if route is None or set(route.order) != set(view.clouds):
        raise NotReadyError("the clouds hold no route of just these clouds; look with `sls failover status`")
    if route.pinned or route.held_until_at_ms > clock_ms():
        raise NotReadyError("the route is pinned or held: `sls failover unpin`, or `hold --for-s 0`, and come again")
    if route.active != route.order[0]:
        raise NotReadyError(f"{route.active} is active; a drill begins when {route.order[0]}, the preferred one, is")
    return route


def deployed_scene(scenario: Scenario, known: KnownClouds, access: Access) -> Scene:
    """What a drill needs. Asks no cloud yet.

    Raises:
        AwsFaultError, GoogleFaultError: A fault cannot be made from here.
    """
    clouds = scenario.clouds
    peers = {peer.cloud: peer for peer in connect_peers(known, clock_ms=clock_ms)}
    own_name = re.compile(rf"(?:{'|'.join([*Road, WARM_UP])})-{scenario.seed}-")
    makers = {cloud: _fault_maker(cloud, access) for cloud in {each.cloud for each in scenario.faults}}
    return Scene(
        target=Target.DEPLOYED,
        urls={cloud: known.urls[cloud] for cloud in clouds},
        api_key=known.api_key,
        peers_file=access.peers_file,
        make_name_road=_name_road(access, clouds),
        puts={
            cloud: partial(_make_put, cloud, bucket)
            for cloud, bucket in access.buckets.items()
            if cloud in clouds and not lacking_credentials(cloud)
        },
        looks={cloud: partial(_look, peers[cloud]) for cloud in clouds},
        read_ledgers=lambda: {cloud: tuple(_rows(peers[cloud], own_name)) for cloud in clouds},
        make_fault=lambda fault: makers[fault.cloud].made(fault),
        plan_fault=lambda fault: makers[fault.cloud].plan(fault),
        pace=_PACE,
        what_is_real=dict.fromkeys(clouds, _REAL),
    )


def plan_lines(scenario: Scenario, scene: Scene, access: Access) -> list[str]:
    """What the drill will do to the clouds, for a person to read before. Raises what `plan_fault` raises."""
    durations = scenario.durations
    load_s = durations.before_s + scenario.lasts_s + durations.after_s
    roads = [road for road in scenario.load if road in scene.roads]
    count = round(load_s * sum(scenario.load[road].per_s for road in roads))
    most_bytes = max(scenario.load[road].most_bytes for road in roads)
    lines = ["Plan: this drill changes deployed clouds:"]
    lines += [f"  {cloud}: {url}" for cloud, url in scene.urls.items()]
    lines += [
        f"  About {count} files of up to {most_bytes:,} bytes are uploaded in {load_s:g} s, by {', '.join(roads)}.",
        f"  So it goes on until {scenario.clouds[0]} is active again, at most {durations.fail_back_s:g} s more.",
        "  The files stay, with their records.",
    ]
    lines += [f"  Skipped: {reason}" for reason in _skipped(scenario, scene, access)]
    for fault in scenario.faults:
        lines.append(f"  {fault.cloud}: {describe_fault(fault)}, {fault.for_s:g} s long:")
        lines += [f"    {line}" for line in scene.plan_fault(fault)]
    for action in scenario.actions:
        lines.append(f"  operator, at {action.at_s:g} s: {action.action} {action.to}".rstrip())
    return lines


def _skipped(scenario: Scenario, scene: Scene, access: Access) -> list[str]:
    """Roads of the scenario that cannot be gone here, and why."""
    reasons = []
    if Road.DNS in scenario.load and scene.make_name_road is None:
        reasons.append('the road by name: there is neither --name-url nor "dns" in the peers file')
    if Road.BUCKET in scenario.load:
        for cloud in scenario.clouds:
            lacking = "no --bucket names one" if cloud not in access.buckets else lacking_credentials(cloud)
            if lacking:
                reasons.append(f"the bucket of {cloud}: {lacking}")
    return reasons


def _fault_maker(cloud: str, access: Access) -> AwsFaults | GoogleFaults:
    """`drills.failover.targets` lets no other cloud come here."""
    match cloud:
        case "aws":
            return AwsFaults(prefix=access.aws_functions)
        case "gcp":
            return GoogleFaults(service=access.google_service)
        case _:
            raise ValueError(f"no fault can be made at {cloud}")


def _name_road(access: Access, clouds: Sequence[str]) -> MakeNameRoad | None:
    if access.name_url:
        return partial(_url_road, access.name_url, clouds[0])
    told: Mapping[str, Any] = json.loads(access.peers_file.read_text()).get("dns") or {}
    if not told:
        return None
    name = NameClient(told["name"], port=told["port"], server=told["address"])
    clouds_of = {address: cloud for cloud, address in told["targets"].items()}
    return lambda patience: NameRoad(name, clouds_of, port=told["api_port"], patience=patience)


def _url_road(url: str, first: str, patience: Patience) -> Client:
    return UrlRoad(url, first=first, patience=patience)


def _make_put(cloud: str, bucket: str, timeout_s: float) -> PutObject:
    return put_into_deployed(cloud, bucket, timeout_s=timeout_s)


def _look(peer: HttpPeer) -> tuple[HeldRoute | None, CastVote | None]:
    try:
        look = peer.look()
    except StepError as error:
        raise LookFailedError(str(error)) from error
    held = _held(look.route) if look.route else None
    return held, _cast(look.vote) if look.vote else None


def _held(route: Route) -> HeldRoute:
    return HeldRoute(active=route.active, epoch=route.epoch, is_pinned=route.pinned, reason=route.reason)


def _cast(vote: Vote) -> CastVote:
    seen = {
        cloud: SeenCloud(
            failed=tuple(map(str, each.failed)),
            fail_count=each.fail_count,
            client_failure_count=each.client_failure_count,
        )
        for cloud, each in vote.seen.items()
    }
    return CastVote(at_ms=vote.at_ms, seen=seen)


def _rows(peer: HttpPeer, own_name: re.Pattern[str]) -> list[Row]:
    """The settled records of this drill's files, among all that there are."""
    rows: list[Row] = []
    after = ""
    for _ in range(_PAGES_MAX_COUNT):
        try:
            page = peer.records(after=after, limit=_PAGE_COUNT)
        except StepError as error:
            raise LookFailedError(str(error)) from error
        fields = map(to_fields, page.records)
        rows += [kept_fields(row) for row in fields if own_name.match(str(row.get("key", "")).rpartition("/")[2])]
        if not page.after:
            return rows
        after = page.after
    raise LookFailedError(f"{peer.cloud}: its ledger has more than {_PAGE_COUNT * _PAGES_MAX_COUNT:,} records")
