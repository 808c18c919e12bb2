"""A cloud's endpoints for identities, emulated on loopback: they answer what a test says, and note what was asked."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from werkzeug.wrappers import Request, Response

from tests.unit.api_in_memory import serving


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]  # names in lower case
    form: dict[str, str]
    body: bytes


@dataclass
class Endpoints:
    """Where they are, and what they were asked, in order."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)

    def asked_at(self, end: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.path.endswith(end)]


@contextmanager
def identity_endpoints(answer: Callable[[Asked], Response]) -> Iterator[Endpoints]:
    """Serve until the end of the `with`."""
    endpoints = Endpoints()

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        asked = Asked(
            path=request.path,
            query=request.args.to_dict(),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=request.get_data(parse_form_data=False),
            form=request.form.to_dict(),
        )
        endpoints.asked.append(asked)
        return answer(asked)(environ, start_response)

    with serving(app) as url:
        endpoints.url = url
        yield endpoints


def as_json(content: Any, *, status: int = 200) -> Response:
    return Response(json.dumps(content), status=status, content_type="application/json")
