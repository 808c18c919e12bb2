"""The HTTP API: one WSGI app, the same on every cloud (on AWS behind serverless-wsgi)."""

from handlers.api.application import app

__all__ = ["app"]
