"""The WSGI application: which endpoint answers, and what becomes of errors. docs/api.md is its manual."""

import logging
import os
import re
from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any

from werkzeug.wrappers import Request, Response

from core.errors import StepError
from handlers.api import peer_endpoints, presigned, status, uploads
from handlers.api.front import Front
from handlers.api.problems import Problem, answer_to, problem_of
from handlers.peers.fields import UPLOAD_ID, FieldError
from handlers.wiring import make_front

log = logging.getLogger("sluice")

Endpoint = Callable[..., Response]

CLIENT_ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("POST", "/v1/uploads"): uploads.post_upload,
    ("GET", "/v1/uploads"): uploads.list_uploads,
    ("POST", "/v1/uploads:presign"): presigned.presign_upload,
    ("GET", "/v1/uploads/<upload_id>"): uploads.get_upload,
    ("POST", "/v1/uploads/<upload_id>:complete"): presigned.complete_upload,
    ("GET", "/v1/route"): status.get_route,
}
OTHER_ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("GET", "/v1/serving"): status.serving,
    ("GET", "/v1/health"): status.health,
    ("GET", "/v1/openapi.json"): status.openapi,
    ("POST", "/v1/copies"): peer_endpoints.keep_copy,
    ("POST", "/v1/copies:presign"): peer_endpoints.presign_copy,
    ("POST", "/v1/copies:confirm"): peer_endpoints.confirm_copy,
    ("POST", "/v1/work"): peer_endpoints.take_work,
    ("PUT", "/v1/route"): peer_endpoints.put_route,
    ("GET", "/v1/records"): peer_endpoints.list_records,
    ("POST", "/v1/records"): peer_endpoints.absorb_records,
}
ENDPOINTS = CLIENT_ENDPOINTS | OTHER_ENDPOINTS


_PATHS = {path: re.compile(re.sub("<([a-z_]+)>", rf"(?P<\1>{UPLOAD_ID.pattern})", path)) for _, path in ENDPOINTS}


class Application:
    """The API of one cloud."""

    def __init__(self, front: Front) -> None:
        self._front = front

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        path, arguments = _routed(request.path)
        route = ("GET" if request.method == "HEAD" else request.method, path)
        if route not in ENDPOINTS:
            return answer_to(_not_routed(path))
        answer = _answered(partial(ENDPOINTS[route], self._front, request, **arguments))
        active = self._front.last_route().active if route in CLIENT_ENDPOINTS else self._front.cloud
        if active != self._front.cloud:  # a stale client: served all the same, but to ask for the name's address again
            answer.headers["Sluice-Active"] = active
            answer.headers["Connection"] = "close"
        return answer


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """The WSGI application, with the settings of the environment."""
    try:
        application = connected()
    except StepError as error:
        log.error("the API cannot start: %s", error)
        return answer_to(Problem("unavailable"))(environ, start_response)
    return application(environ, start_response)


@cache
def connected() -> Application:
    """The application of this process. Kept while it is warm."""
    return Application(make_front(os.environ))


def _answered(endpoint: Endpoint) -> Response:
    try:
        return endpoint()
    except Problem as found:
        return answer_to(found)
    except (StepError, FieldError) as error:
        problem = problem_of(error)
        if problem.name == "unavailable":
            log.warning("a request could not be served: %s", error)
        return answer_to(problem)
    except Exception:
        # The one broad catch: a problem document without details, whatever it was.
        log.exception("a request failed")
        return answer_to(Problem("internal"))


def _routed(path: str) -> tuple[str, dict[str, str]]:
    """The path's name in ENDPOINTS, and the variables in it; "" if it is none."""
    for known, form in _PATHS.items():
        if match := form.fullmatch(path):
            return known, match.groupdict()
    return "", {}


def _not_routed(path: str) -> Problem:
    methods = {method for method, known in ENDPOINTS if known == path}
    if not methods:
        return Problem("not-found")
    allowed = sorted(methods | ({"HEAD"} if "GET" in methods else set()))
    return Problem("method-not-allowed", headers={"Allow": ", ".join(allowed)})
