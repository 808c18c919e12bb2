"""Reads `dns.yml`: the name, its targets in the route's order, how they are asked, and the DNS hosts."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_SECRETS = ("client_secret", "key_secret")
# What each DNS host must and may be told.
_HOST_SETTINGS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "route53": (frozenset(), frozenset({"profile"})),
    "azure": (
        frozenset({"subscription_id", "resource_group", "tenant_id", "client_id", "client_secret"}),
        frozenset({"authority", "base_url"}),
    ),
    "google_cloud_dns": (frozenset({"project", "managed_zone"}), frozenset({"health_check", "backup_location"})),
    "rfc2136": (frozenset({"server", "key_name", "key_secret"}), frozenset({"port", "key_algorithm"})),
}


class DeclarationError(Exception):
    """`dns.yml` cannot be used, in words that name the line to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How every target is asked.

    Attributes:
        interval_s: 10 or 30.
        threshold_count: Failures in a row until a target counts as down, 1 to 10.
        timeout_s: Of one probe; 5 to 10, and 9 at most if `interval_s` is 10 (Traffic Manager's limits).
    """

    protocol: str
    port: int
    path: str
    interval_s: int
    threshold_count: int
    timeout_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What the name shall be.

    Attributes:
        zone: With the dot at its end; `name` is relative to it.
        record_type: "CNAME", "A" or "AAAA".
        targets: Cloud to value (a CNAME's with the dot at its end), in the route's order.
        hosts: DNS host to its settings, as declared: `env/NAME` still unread.
    """

    zone: str
    name: str
    ttl_s: int
    record_type: str
    health: Health
    targets: Mapping[str, str]
    hosts: Mapping[str, Mapping[str, Any]]

    @property
    def fqdn(self) -> str:
        """The whole name, with the dot at its end."""
        return f"{self.name}.{self.zone}"


def read_declaration(path: Path) -> Declaration:
    """Read the file.

    Raises:
        DeclarationError: There is none, or something in it is missing, unknown or out of range.
    """
    try:
        return parse_declaration(yaml.safe_load(path.read_text()))
    except OSError as error:
        raise DeclarationError(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DeclarationError(f"{path} is no YAML: {error}") from error


def parse_declaration(declared: Any) -> Declaration:
    """Check what the file says.

    Raises:
        DeclarationError: As `read_declaration`.
    """
    top = _mapping(declared, "the file", required={"zone", "name", "ttl_s", "health", "targets", "hosts"})
    targets = {
        cloud: str(value).lower()
        for cloud, value in _mapping(top["targets"], "targets", required=set(), open_=True).items()
    }
    if not targets or len(set(targets.values())) != len(targets):
        raise DeclarationError("targets: name at least one, and none twice")
    return Declaration(
        zone=_host_name(top["zone"], "zone"),
        name=_relative_name(top["name"]),
        ttl_s=_number(top["ttl_s"], "ttl_s", least=1, most=60),
        record_type=_record_type(targets),
        health=_health(top["health"]),
        targets=targets,
        hosts=_hosts(top["hosts"]),
    )


def settings_of(declaration: Declaration, host: str, *, environment: Mapping[str, str]) -> dict[str, Any]:
    """The settings of a DNS host, with `env/NAME` replaced.

    Raises:
        DeclarationError: Such a variable is not set.
    """
    settings = dict(declaration.hosts[host])
    for name, value in settings.items():
        if isinstance(value, str) and value.startswith("env/"):
            variable = value.removeprefix("env/")
            if not environment.get(variable):
                raise DeclarationError(f"hosts.{host}.{name}: the environment variable {variable} is not set")
            settings[name] = environment[variable]
    return settings


def _health(declared: Any) -> Health:
    names = {"protocol", "port", "path", "interval_s", "threshold_count", "timeout_s"}
    health = _mapping(declared, "health", required=names)
    if health["protocol"] not in ("http", "https"):
        raise DeclarationError(f"health.protocol: http or https, not {health['protocol']!r}")
    if not re.fullmatch(r"/[!-~]*", str(health["path"])):
        raise DeclarationError("health.path: begins with / and has no spaces")
    interval_s = _number(health["interval_s"], "health.interval_s", least=10, most=30)
    if interval_s not in (10, 30):
        raise DeclarationError("health.interval_s: 10 or 30; Route 53 and Traffic Manager know no other")
    return Health(
        protocol=health["protocol"],
        port=_number(health["port"], "health.port", least=1, most=65_535),
        path=health["path"],
        interval_s=interval_s,
        threshold_count=_number(health["threshold_count"], "health.threshold_count", least=1, most=10),
        timeout_s=_number(health["timeout_s"], "health.timeout_s", least=5, most=9 if interval_s == 10 else 10),
    )


def _hosts(declared: Any) -> dict[str, Mapping[str, Any]]:
    hosts = _mapping(declared, "hosts", required=set(), optional=set(_HOST_SETTINGS))
    if not hosts:
        raise DeclarationError(f"hosts: name at least one of {', '.join(_HOST_SETTINGS)}")
    checked: dict[str, Mapping[str, Any]] = {}
    for host, settings in hosts.items():
        required, optional = _HOST_SETTINGS[host]
        checked[host] = _mapping(settings or {}, f"hosts.{host}", required=set(required), optional=set(optional))
        for name in _SECRETS:
            if not str(checked[host].get(name, "env/")).startswith("env/"):
                raise DeclarationError(f"hosts.{host}.{name}: a secret stands in the environment: write env/NAME")
    return checked


def _record_type(targets: Mapping[str, str]) -> str:
    kinds = {_kind(cloud, value) for cloud, value in targets.items()}
    if len(kinds) != 1:
        raise DeclarationError(f"targets: all of one kind, not {' and '.join(sorted(kinds))}")
    return kinds.pop()


def _kind(cloud: str, value: str) -> str:
    try:
        return "A" if ipaddress.ip_address(value).version == 4 else "AAAA"
    except ValueError:
        _host_name(value, f"targets.{cloud}")
        return "CNAME"


def _host_name(value: Any, where: str) -> str:
    name = str(value).lower()
    labels = name.removesuffix(".").split(".")
    if not name.endswith(".") or len(name) > 254 or not all(_LABEL.fullmatch(label) for label in labels):
        raise DeclarationError(f"{where}: a whole host name with a dot at its end, not {value!r}")
    return name


def _relative_name(value: Any) -> str:
    name = str(value).lower()
    if not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise DeclarationError(f"name: relative to the zone, without the dot at its end, not {value!r}")
    return name


def _number(value: Any, where: str, *, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise DeclarationError(f"{where}: a whole number from {least} to {most}, not {value!r}")
    return value


def _mapping(
    value: Any, where: str, *, required: set[str], optional: set[str] | None = None, open_: bool = False
) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise DeclarationError(f"{where}: names with values are expected")
    missing, unknown = required - value.keys(), value.keys() - required - (optional or set())
    if missing:
        raise DeclarationError(f"{where}: {', '.join(sorted(missing))} is missing")
    if unknown and not open_:
        raise DeclarationError(f"{where}: {', '.join(sorted(unknown))} is unknown")
    return value
