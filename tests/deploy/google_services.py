"""What Google's control planes keep, and what they refuse. Emulated after Google's documentation."""

import base64
import copy
from collections.abc import Callable
from typing import Any, Self

from tests.deploy.google_additions import ADDED_TO_JOB, filled_in
from tests.deploy.google_control_plane import Refusal, Request
from tests.deploy.google_policies import Policies

PROJECT = "my-project"
NUMBER = "123456789012"
_SLOW = {"cloudresourcemanager.googleapis.com"}  # to be enabled
POLL_COUNT = 2  # before an operation is done
_AT_FIRST = {"serviceusage.googleapis.com", "storage.googleapis.com"}  # enabled in a new project
_PUBSUB_AGENT = f"service-{NUMBER}@gcp-sa-pubsub.iam.gserviceaccount.com"

Thing = dict[str, Any]


class GoogleServices:
    """One project.

    Attributes:
        things: Everything that was made, by resource name; buckets as "b/NAME".
        objects: Of all buckets: name and generation.
        collections: That hold documents, of all databases.
        entries: What was logged.
        called: Requests that functions got: function's host, path, body.
    """

    def __init__(self) -> None:
        self.things: dict[str, Thing] = {}
        self.policies = Policies()
        self.objects: list[dict[str, str]] = []
        self.collections = {"control"}
        self.entries: list[Thing] = []
        self.called: list[tuple[str, str, bytes]] = []
        self.packages: dict[str, bytes] = {}
        self.enabled = set(_AT_FIRST)
        self._coming: dict[str, int] = {}
        self._operations: dict[str, dict[str, Any]] = {}
        self._count = 0

    def serve(self, request: Request, host: str, *, fails: bool = False) -> Any:
        """Do what is asked; `fails`: its operation ends with an error."""
        self._check_enabled(host)
        if request.method.endswith("etIamPolicy") and not request.method.startswith("storage."):
            name = request.name.rpartition(":")[0]
            self._require_policy_owner(name)
            return self.policies.serve(request, name=name)
        family, _, verb = request.method.rpartition(".")
        handler: Callable[..., Any] = getattr(self, f"_{family.replace('.', '_')}_{verb}")
        return handler(request, fails=True) if fails else handler(request)

    def _check_enabled(self, host: str) -> None:
        if host in self.enabled and self._coming.get(host, 0) == 0:
            return
        self._coming[host] = max(0, self._coming.get(host, 0) - 1)
        text = f"{host} has not been used in project {PROJECT} before or it is disabled."
        raise Refusal(403, "PERMISSION_DENIED", text, reason="SERVICE_DISABLED")

    def _require_policy_owner(self, name: str) -> None:
        service = name.rpartition("/services/")[2]
        is_service = any(
            t.get("serviceConfig", {}).get("service", "").endswith(f"/{service}") for t in self.things.values()
        )
        if name not in self.things and name != f"projects/{PROJECT}" and not ("/services/" in name and is_service):
            raise Refusal(404, "NOT_FOUND", f"{name} was not found.")

    def _find(self, name: str) -> Thing:
        if name not in self.things:
            raise Refusal(404, "NOT_FOUND", f"{name} was not found.")
        return self.things[name]

    def _new(self, name: str, thing: Thing) -> Thing:
        if name in self.things:
            raise Refusal(409, "ALREADY_EXISTS", f"{name} exists already.")
        self.things[name] = thing
        return thing

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _drop(self, name: str) -> Thing:
        self._find(name)
        del self.things[name]
        self.policies.by_name.pop(name, None)
        return {}

    def _begin(self, name: str, then: Callable[[], Any], *, error: str = "", poll_count: int = POLL_COUNT) -> Thing:
        self._operations[name] = {"left": poll_count, "then": then, "error": error}
        return {"name": name, "done": False}

    def _poll(self, request: Request) -> Thing:
        return self._poll_operation(request.name)

    def _poll_operation(self, name: str) -> Thing:
        operation = self._operations[name]
        operation["left"] -= 1
        if operation["left"] > 0:
            return {"name": name, "done": False}
        if "response" not in operation:
            operation["response"] = operation["then"]()
        if operation["error"]:
            return {"name": name, "done": True, "error": {"code": 9, "message": operation["error"]}}
        return {"name": name, "done": True, "response": {"@type": "type.googleapis.com/x", **operation["response"]}}

    def settled_copy(self) -> Self:
        """The same project at another time: what is under way is forgotten."""
        self._operations.clear()
        return copy.deepcopy(self)

    _cloudfunctions_projects_locations_operations_get = _poll
    _firestore_projects_databases_operations_get = _poll
    _serviceusage_operations_get = _poll

    def _serviceusage_services_batchGet(self, request: Request) -> Thing:
        names = request.query_lists["names"]
        states = {name: "ENABLED" if name.rpartition("/")[2] in self.enabled else "DISABLED" for name in names}
        parent = f"projects/{NUMBER}"
        services = [
            {"name": f"{parent}/services/{name.rpartition('/')[2]}", "parent": parent, "state": state}
            for name, state in states.items()
        ]
        return {"services": services}

    def _serviceusage_services_batchEnable(self, request: Request) -> Thing:
        def enable() -> Thing:
            for host in request.body["serviceIds"]:
                self.enabled.add(host)
                self._coming[host] = 1 if host in _SLOW else 0
            return {}

        return self._begin(f"operations/enable.{self._next()}", enable)

    def _serviceusage_services_generateServiceIdentity(self, request: Request) -> Thing:
        self.policies.add_account(_PUBSUB_AGENT)
        return {"name": "operations/finished.DONE_OPERATION", "done": True, "response": {"email": _PUBSUB_AGENT}}

    def _iam_projects_serviceAccounts_get(self, request: Request) -> Thing:
        return self._find(request.name)

    def _iam_projects_serviceAccounts_create(self, request: Request) -> Thing:
        email = f"{request.body['accountId']}@{PROJECT}.iam.gserviceaccount.com"
        name = f"projects/{PROJECT}/serviceAccounts/{email}"
        self.policies.add_account(email, is_known="-api@" not in email)
        return self._new(name, {"name": name, "email": email, **request.body["serviceAccount"]})

    def _iam_projects_serviceAccounts_delete(self, request: Request) -> Thing:
        self.policies.remove_account(self._find(request.name)["email"])
        return self._drop(request.name)

    def _iamcredentials_projects_serviceAccounts_generateIdToken(self, request: Request) -> Thing:
        email = request.name.rpartition("/")[2].partition(":")[0]
        self._find(f"projects/{PROJECT}/serviceAccounts/{email}")
        return {"token": f"{email}|{request.body['audience']}"}

    def _secretmanager_projects_secrets_get(self, request: Request) -> Thing:
        return self._find(request.name)

    def _secretmanager_projects_secrets_create(self, request: Request) -> Thing:
        name = f"{request.name}/{request.query['secretId']}"
        return self._new(name, {"name": name, **request.body})

    def _secretmanager_projects_secrets_list(self, request: Request) -> Thing:
        assert request.query["filter"] == "labels.service=sluice AND labels.stage=dev"
        # Whether "=" means the whole value is not documented; the stand-in takes the worse.
        found = [
            thing
            for name, thing in self.things.items()
            if "/secrets/" in name and thing.get("labels", {}).get("stage", "").startswith("dev")
        ]
        return {"secrets": found} if found else {}

    def _secretmanager_projects_secrets_delete(self, request: Request) -> Thing:
        for name in [name for name in self.things if name.startswith(f"{request.name}/versions/")]:
            del self.things[name]
        return self._drop(request.name)

    def _secretmanager_projects_secrets_addVersion(self, request: Request) -> Thing:
        secret = request.name.removesuffix(":addVersion")
        self._find(secret)
        number = 1 + sum(name.startswith(f"{secret}/versions/") for name in self.things)
        name = f"{secret}/versions/{number}"
        self.things[name] = {"name": name, "state": "ENABLED"}
        self.packages[name] = base64.b64decode(request.body["payload"]["data"])
        return self.things[name]

    def _latest(self, secret: str) -> str:
        self._find(secret)
        versions = [name for name in self.things if name.startswith(f"{secret}/versions/")]
        if not versions:
            raise Refusal(404, "NOT_FOUND", f"Secret [{secret}] has no versions.")
        return max(versions, key=lambda name: int(name.rpartition("/")[2]))

    def _secretmanager_projects_secrets_versions_get(self, request: Request) -> Thing:
        return self.things[self._latest(request.name.partition("/versions/")[0])]

    def _secretmanager_projects_secrets_versions_access(self, request: Request) -> Thing:
        name = self._latest(request.name.partition("/versions/")[0])
        return {"name": name, "payload": {"data": base64.b64encode(self.packages[name]).decode()}}

    def _firestore_projects_databases_get(self, request: Request) -> Thing:
        return self._find(request.name)

    def _firestore_projects_databases_create(self, request: Request) -> Thing:
        name = f"{request.name}/{request.query['databaseId']}"
        if name in self.things:
            raise Refusal(409, "ALREADY_EXISTS", f"{name} exists already.")
        return self._begin(f"{name}/operations/{self._next()}", lambda: self._new(name, {"name": name, **request.body}))

    def _firestore_projects_databases_patch(self, request: Request) -> Thing:
        thing = self._find(request.name)
        field = request.query["updateMask"]
        return self._begin(
            f"{request.name}/operations/{self._next()}", lambda: thing | set_parts(thing, field, request.body)
        )

    def _firestore_projects_databases_delete(self, request: Request) -> Thing:
        if self._find(request.name)["deleteProtectionState"] != "DELETE_PROTECTION_DISABLED":
            raise Refusal(400, "FAILED_PRECONDITION", "Deletion of the database is protected.")
        return self._begin(f"{request.name}/operations/{self._next()}", lambda: self._drop(request.name))

    def _firestore_projects_databases_documents_listCollectionIds(self, request: Request) -> Thing:
        return {"collectionIds": sorted(self.collections)} if self.collections else {}

    def _pubsub_get(self, request: Request) -> Thing:
        return self._find(request.name)

    def _pubsub_drop(self, request: Request) -> Thing:
        for thing in self.things.values():
            if thing.get("topic") == request.name:
                thing["topic"] = "_deleted-topic_"
        return self._drop(request.name)

    _pubsub_projects_topics_get = _pubsub_projects_subscriptions_get = _pubsub_get
    _pubsub_projects_topics_delete = _pubsub_projects_subscriptions_delete = _pubsub_drop

    def _pubsub_projects_topics_create(self, request: Request) -> Thing:
        return self._new(request.name, {"name": request.name, **request.body})

    def _pubsub_projects_subscriptions_create(self, request: Request) -> Thing:
        self._check_subscription(request.body)
        added: Thing = {"name": request.name, "state": "ACTIVE"}
        if "pushConfig" in request.body:
            added["pushConfig"] = {"attributes": {"x-goog-version": "v1"}}
        return self._new(request.name, filled_in(request.body, added))

    def _pubsub_projects_subscriptions_patch(self, request: Request) -> Thing:
        self._check_subscription({**self._find(request.name), **request.body["subscription"]})
        return set_parts(self._find(request.name), request.body["updateMask"], request.body["subscription"])

    def _check_subscription(self, body: Thing) -> None:
        self._find(body["topic"])
        if "deadLetterPolicy" in body:
            self._find(body["deadLetterPolicy"]["deadLetterTopic"])
        if "pushConfig" in body:
            self._require_account(body["pushConfig"]["oidcToken"]["serviceAccountEmail"])

    def _require_account(self, email: str) -> None:
        if email not in self.policies.accounts:
            raise Refusal(400, "INVALID_ARGUMENT", f"Account {email} was not found.")

    def _cloudscheduler_projects_locations_jobs_get(self, request: Request) -> Thing:
        return self._find(request.name)

    def _cloudscheduler_projects_locations_jobs_create(self, request: Request) -> Thing:
        self._require_account(request.body["httpTarget"]["oidcToken"]["serviceAccountEmail"])
        return self._new(request.body["name"], filled_in(request.body, ADDED_TO_JOB))

    def _cloudscheduler_projects_locations_jobs_patch(self, request: Request) -> Thing:
        return set_parts(self._find(request.name), request.query["updateMask"], request.body)

    def _cloudscheduler_projects_locations_jobs_delete(self, request: Request) -> Thing:
        return self._drop(request.name)

    def _logging_entries_list(self, request: Request) -> Thing:
        service = request.body["filter"].partition('service_name = "')[2].partition('"')[0]
        page = int(request.body.get("pageToken", "0"))
        found = [entry for entry in self.entries if entry["resource"]["labels"]["service_name"] == service]
        more = {"nextPageToken": str(page + 1)} if len(found) > page + 1 else {}
        return {"entries": found[page : page + 1], **more}


def set_parts(thing: Thing, mask: str, source: Thing) -> Thing:
    """Apply an update mask, whose paths have one or two parts."""
    for path in mask.split(","):
        first, _, second = path.partition(".")
        if not second:
            thing[first] = copy.deepcopy(source[first])
        elif second in source[first]:
            thing[first][second] = copy.deepcopy(source[first][second])
        else:
            thing[first].pop(second, None)
    return thing
