"""Makes each declared DNS host from its settings."""

from collections.abc import Callable, Mapping
from typing import Any

from handlers.dns.declaration import Declaration, settings_of
from handlers.dns.plan import DnsHost


def make_host(
    host: str, declaration: Declaration, *, serving: Mapping[str, bool], environment: Mapping[str, str]
) -> DnsHost:
    """Make one. Imports only what this one needs.

    Raises:
        DeclarationError: An environment variable that it needs is not set.
    """
    settings = settings_of(declaration, host, environment=environment)
    match host:
        case "route53":
            from handlers.dns import octodns_host

            return octodns_host.OctoDnsHost(octodns_host.route53_provider(settings), declaration)
        case "azure":
            from handlers.dns import octodns_host

            return octodns_host.OctoDnsHost(octodns_host.azure_provider(settings), declaration)
        case "google_cloud_dns":
            return _google(declaration, settings, serving)
        case "rfc2136":
            from handlers.dns.rfc2136 import Rfc2136Host, UpdateServer

            server = UpdateServer(address=settings.pop("server"), port=settings.pop("port", 53), **settings)
            return Rfc2136Host(declaration, server, serving=dict(serving))
    raise AssertionError(f"{host} is not a DNS host that the declaration lets through")


def _google(declaration: Declaration, settings: Mapping[str, str], serving: Mapping[str, bool]) -> DnsHost:
    import google.auth
    from google.auth.transport.requests import AuthorizedSession

    from handlers.dns.google_dns import SCOPE, GoogleDnsHost, Session

    credentials, _ = google.auth.default(scopes=[SCOPE])
    make_session: Callable[[Any], Session] = AuthorizedSession
    return GoogleDnsHost(declaration, session=make_session(credentials), settings=settings, serving=serving)
