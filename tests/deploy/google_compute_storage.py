"""The larger of Google's services for a deployment: buckets, and functions with their builds and calls."""

import io
import zipfile
from typing import Any

from tests.deploy.google_additions import ADDED_TO_BUCKET, ADDED_TO_FUNCTION, filled_in
from tests.deploy.google_control_plane import Refusal, Request
from tests.deploy.google_services import NUMBER, PROJECT, GoogleServices, Thing, set_parts

_UNDER_WAY = ("DEPLOYING", "DELETING")  # and nothing else can be begun meanwhile
_BUILDER_ROLE = "roles/run.builder"
_STORAGE_AGENT = f"service-{NUMBER}@gs-project-accounts.iam.gserviceaccount.com"
_UPLOADS = "gcf-v2-uploads-123456789012.europe-west1.cloudfunctions.appspot.com"


class GoogleProject(GoogleServices):
    """All services of one project."""

    def __init__(self) -> None:
        super().__init__()
        self._under_way: dict[str, str] = {}  # the operation, by function

    def _storage_projects_serviceAccount_get(self, request: Request) -> Thing:
        self.policies.add_account(_STORAGE_AGENT)
        return {"kind": "storage#serviceAccount", "email_address": _STORAGE_AGENT}

    def _storage_buckets_get(self, request: Request) -> Thing:
        return self._find(_bucket(request))

    def _storage_buckets_insert(self, request: Request) -> Thing:
        made = {"kind": "storage#bucket", **request.body, "location": request.body["location"].upper()}
        return self._new(f"b/{request.body['name']}", filled_in(made, ADDED_TO_BUCKET))

    def _storage_buckets_patch(self, request: Request) -> Thing:
        return set_parts(self._find(_bucket(request)), ",".join(request.body), request.body)

    def _storage_buckets_delete(self, request: Request) -> None:
        if self.objects:
            raise Refusal(409, "conflict", "The bucket you tried to delete is not empty.")
        self._drop(_bucket(request))
        for name in [name for name in self.things if name.startswith(f"{_bucket(request)}/")]:
            del self.things[name]

    def _storage_buckets_getIamPolicy(self, request: Request) -> Thing:
        self._find(_bucket(request))
        assert request.query["optionsRequestedPolicyVersion"] == "3"
        return {"kind": "storage#policy", **self.policies.get(_bucket(request))}

    def _storage_buckets_setIamPolicy(self, request: Request) -> Thing:
        self._find(_bucket(request))
        return self.policies.put(_bucket(request), request.body, lost_race_status=412)

    def _storage_objects_list(self, request: Request) -> Thing:
        assert request.query["versions"] == "true"
        low, high = request.query.get("startOffset", ""), request.query.get("endOffset", "\uffff")
        start = request.query.get("prefix", "")
        found = [one for one in self.objects if low <= one["name"] < high and one["name"].startswith(start)]
        return {"kind": "storage#objects", "items": found[: int(request.query["maxResults"])]}

    def _storage_objects_delete(self, request: Request) -> None:
        one = {"name": request.name.partition("/o/")[2], "generation": request.query["generation"]}
        if one not in self.objects:
            raise Refusal(404, "notFound", "No such object.")
        self.objects.remove(one)

    def _storage_notifications_list(self, request: Request) -> Thing:
        self._find(_bucket(request))
        found = [thing for name, thing in self.things.items() if name.startswith(f"{_bucket(request)}/")]
        return {"kind": "storage#notifications", "items": found} if found else {"kind": "storage#notifications"}

    def _storage_notifications_insert(self, request: Request) -> Thing:
        topic = request.body["topic"].removeprefix("//pubsub.googleapis.com/")
        self._find(topic)
        if not self.policies.allows(topic, "roles/pubsub.publisher", f"serviceAccount:{_STORAGE_AGENT}"):
            raise Refusal(400, "invalid", f"{_STORAGE_AGENT} may not publish to {topic}.")
        number = str(self._next())
        return self._new(f"{_bucket(request)}/{number}", {"kind": "storage#notification", "id": number, **request.body})

    def _storage_notifications_delete(self, request: Request) -> None:
        self._drop(f"{_bucket(request)}/{request.name.rpartition('/')[2]}")

    def _cloudfunctions_projects_locations_functions_get(self, request: Request) -> Thing:
        thing = self._find(request.name)
        if thing["state"] in _UNDER_WAY:  # it goes on, whoever waits for it
            self._poll_operation(self._under_way[request.name])
        return self._find(request.name)

    def _cloudfunctions_projects_locations_functions_generateUploadUrl(self, request: Request) -> Thing:
        name = f"{self._next()}.zip"
        url = f"https://storage.googleapis.com/{_UPLOADS}/{name}?GoogleAccessId=x&Expires=1&Signature=y"
        return {"uploadUrl": url, "storageSource": {"bucket": _UPLOADS, "object": name}}

    def receive_package(self, path: str, headers: dict[str, str], content: bytes) -> Thing:
        """What the signed URL takes: exactly this content type, and no token."""
        if headers.get("content-type") != "application/zip" or "authorization" in headers:
            raise Refusal(403, "SignatureDoesNotMatch", "The request signature we calculated does not match.")
        self.packages[path.rpartition("/")[2]] = content
        return {}

    def _cloudfunctions_projects_locations_functions_create(self, request: Request, *, fails: bool = False) -> Thing:
        function_id = request.query["functionId"]
        name = f"{request.name}/{function_id}"
        region = request.name.split("/")[3]
        self._require_account(request.body["serviceConfig"]["serviceAccountEmail"])
        made = {**request.body, "name": name}
        uri = f"https://{function_id}-abc123-ew.a.run.app"
        service = f"projects/{PROJECT}/locations/{region}/services/{function_id}"
        made["serviceConfig"] = {**made["serviceConfig"], "uri": uri, "service": service}
        self._new(name, made)
        return self._build(name, fails=fails)

    def _cloudfunctions_projects_locations_functions_patch(self, request: Request, *, fails: bool = False) -> Thing:
        thing = self._find_idle(request.name)
        set_parts(thing, request.query["updateMask"], request.body)
        return self._build(request.name, fails=fails)

    def _cloudfunctions_projects_locations_functions_delete(self, request: Request) -> Thing:
        thing = self._find_idle(request.name)
        self.policies.by_name.pop(thing["serviceConfig"]["service"], None)
        thing["state"] = "DELETING"
        return self._begin(self._new_operation(request.name), lambda: self._drop(request.name), poll_count=5)

    def _find_idle(self, name: str) -> Thing:
        thing = self._find(name)
        if thing["state"] in _UNDER_WAY:
            raise Refusal(409, "ABORTED", "unable to queue the operation")
        return thing

    def _new_operation(self, name: str) -> str:
        self._under_way[name] = f"{name.rpartition('/functions/')[0]}/operations/{self._next()}"
        return self._under_way[name]

    def _build(self, name: str, *, fails: bool) -> Thing:
        """A build; where it fails, what ran before goes on, whatever the function was told to be."""
        thing = self.things[name]
        thing.update(filled_in(thing, ADDED_TO_FUNCTION))
        runs = thing.get("state") == "ACTIVE"
        error = "Build failed with status: FAILURE." if fails else self._why_not(thing)

        def finish() -> dict[str, Any]:
            thing["state"] = "ACTIVE" if runs or not error else "FAILED"
            return thing

        thing["state"] = "DEPLOYING"
        return self._begin(self._new_operation(name), finish, error=error)

    def _why_not(self, thing: Thing) -> str:
        """What of a function would make its build or its first start fail."""
        build, service = thing["buildConfig"], thing["serviceConfig"]
        content = self.packages.get(build["source"]["storageSource"]["object"])
        if content is None or "main.py" not in zipfile.ZipFile(io.BytesIO(content)).namelist():
            return "Build failed: missing main.py."
        builder = f"serviceAccount:{build['serviceAccount'].rpartition('/')[2]}"
        if not self.policies.allows(f"projects/{PROJECT}", _BUILDER_ROLE, builder):
            return f"Build failed: {builder} has not the required role."
        member = f"serviceAccount:{service['serviceAccountEmail']}"
        for secret in service.get("secretEnvironmentVariables", []):
            name = f"projects/{PROJECT}/secrets/{secret['secret']}"
            if f"{name}/versions/{secret['version']}" not in self.things:
                return f"Secret {name}/versions/{secret['version']} was not found."
            if not self.policies.allows(name, "roles/secretmanager.secretAccessor", member):
                return f"Permission denied on secret: {name} for {member}."
        return ""

    def call_function(
        self, host: str, http_method: str, path: str, token: str, headers: dict[str, str], content: bytes
    ) -> Any:
        """What Cloud Run lets through to a function: everybody's, or a token of one who may."""
        [thing] = [t for t in self.things.values() if t.get("serviceConfig", {}).get("uri") == f"https://{host}"]
        email, _, audience = token.partition("|")
        service = thing["serviceConfig"]["service"]
        is_good = audience == f"https://{host}" or not token
        if not is_good or not self.policies.allows(service, "roles/run.invoker", f"serviceAccount:{email}"):
            raise Refusal(403, "", "Your client does not have permission to get this URL from this server.")
        self.called.append((host, path, content))
        return {"status": "ok"} if http_method == "GET" else "OK"


def _bucket(request: Request) -> str:
    return "b/" + request.name.split("/b/")[1].split("/")[0]
