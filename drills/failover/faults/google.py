"""A fault of a deployed Google Cloud, made with its own API: nobody may call `process`, so every push is refused.

`process` is a Cloud Run service, whose policy says who may call it ("projects.locations.services.getIamPolicy" and
"setIamPolicy", Cloud Run Admin API v2). A policy is read, changed and written with the etag that was read, so that
nobody else's change is lost ("Policy", IAM API); it counts after seconds to minutes ("Access change propagation").
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import google.auth
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession
from requests import RequestException, Session

from drills.failover.scenario import FaultName, TimedFault

FAULTS = frozenset({FaultName.INVOKER_REVOKED})

_API = "https://run.googleapis.com"
_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_ROLE = "roles/run.invoker"
_POLICY_VERSION = 3  # the one that has conditions
_TIMEOUT_S = 20.0
_TRY_COUNT = 5  # of a write that another one overtook
_OVERTAKEN = (409, 412)

Policy = dict[str, Any]
Binding = Mapping[str, Any]  # role, members, condition if there is one


class GoogleFaultError(Exception):
    """Google did not do what a fault needs, or did not take it back; the message says what is to be done by hand."""


def default_session() -> Session:
    """With application default credentials.

    Raises:
        GoogleFaultError: There are none.
    """
    try:
        credentials, _ = google.auth.default(scopes=_SCOPES)
    except GoogleAuthError as error:
        raise GoogleFaultError(f"gcp: could not find credentials: {error}") from error
    make_session: Any = AuthorizedSession
    session: Session = make_session(credentials)
    return session


class GoogleFaults:
    """Of one Cloud Run service."""

    def __init__(self, *, service: str, make_session: Callable[[], Session] = default_session, api: str = _API) -> None:
        """`service`: projects/P/locations/L/services/S. Raises GoogleFaultError if it is "", or as `make_session`."""
        if not service:
            raise GoogleFaultError(
                "gcp: which service is `process`? Say --google-service projects/P/locations/L/services/S"
            )
        self._service, self._url = service, f"{api}/v2/{service}"
        self._session = make_session()

    def plan(self, fault: TimedFault) -> Sequence[str]:
        """What the fault changes, and the commands that take it back. Only reads. Raises GoogleFaultError."""
        held = _invokers(self._read())
        members = [member for binding in held for member in binding["members"]]
        by_hand = [f"if the drill is killed: {self._by_hand(member)}" for member in members]
        return [f"takes {_ROLE} from {', '.join(members) or 'nobody'} at {self._service}, and gives it back", *by_hand]

    @contextmanager
    def made(self, fault: TimedFault) -> Iterator[None]:
        """The fault, from entering to leaving. Raises GoogleFaultError."""
        held = _invokers(self._read())
        try:
            self._change(_without_invokers)
            yield
        finally:
            self._give_back(held)

    def _give_back(self, held: Sequence[Binding]) -> None:
        try:
            self._change(lambda policy: _with_bindings(policy, held))
        except GoogleFaultError as error:
            by_hand = "; ".join(self._by_hand(member) for binding in held for member in binding["members"])
            raise GoogleFaultError(f"{error}; by hand: {by_hand}") from error

    def _change(self, change: Callable[[Policy], Policy]) -> None:
        for _ in range(_TRY_COUNT):
            wanted = {**change(self._read()), "version": _POLICY_VERSION}
            status = self._ask("POST", ":setIamPolicy", json={"policy": wanted}, allowed=_OVERTAKEN)[0]
            if status not in _OVERTAKEN:
                return
        raise GoogleFaultError(f"gcp: others changed the policy of {self._service} {_TRY_COUNT} times meanwhile")

    def _read(self) -> Policy:
        return self._ask("GET", f":getIamPolicy?options.requestedPolicyVersion={_POLICY_VERSION}")[1]

    def _ask(self, method: str, verb: str, *, json: Any = None, allowed: Sequence[int] = ()) -> tuple[int, Policy]:
        try:
            answer = self._session.request(method, f"{self._url}{verb}", json=json, timeout=_TIMEOUT_S)
            found = answer.json() if answer.ok else {}
        except (GoogleAuthError, RequestException, ValueError) as error:
            raise GoogleFaultError(f"gcp: {method} {self._service}{verb[:13]}: {type(error).__name__}") from error
        if not answer.ok and answer.status_code not in allowed:
            raise GoogleFaultError(f"gcp: {method} {self._service}{verb[:13]}: {answer.status_code}")
        return answer.status_code, found

    def _by_hand(self, member: str) -> str:
        _, project, _, region, _, name = self._service.split("/")
        where = f"{name} --project {project} --region {region}"
        return f"gcloud run services add-iam-policy-binding {where} --member {member} --role {_ROLE}"


def _invokers(policy: Policy) -> list[Binding]:
    return [binding for binding in policy.get("bindings", []) if binding["role"] == _ROLE and binding.get("members")]


def _without_invokers(policy: Policy) -> Policy:
    return {**policy, "bindings": [each for each in policy.get("bindings", []) if each["role"] != _ROLE]}


def _with_bindings(policy: Policy, held: Sequence[Binding]) -> Policy:
    """With these again, beside what others have given meanwhile."""
    others = [each for each in policy.get("bindings", []) if each not in held]
    return {**policy, "bindings": [*others, *held]}
