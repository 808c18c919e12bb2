"""Entrypoints: what each cloud calls, the HTTP API, the operator's command line; and the user's own logic."""
