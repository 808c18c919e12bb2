"""Policies of Google's resources: who may do what. Emulated after "Policy" (IAM API) and "Service agents" (IAM)."""

import copy
from typing import Any

from tests.deploy.google_control_plane import Refusal, Request


class Policies:
    """The policies by resource name, and the accounts that they may name."""

    def __init__(self) -> None:
        self.by_name: dict[str, dict[str, Any]] = {}
        self.accounts: set[str] = set()
        self._unknown_yet: set[str] = set()
        self._write_count = 0

    def add_account(self, email: str, *, is_known: bool = True) -> None:
        """IAM is eventually consistent: a new account may be refused in a policy once."""
        self.accounts.add(email)
        if not is_known:
            self._unknown_yet.add(email)

    def remove_account(self, email: str) -> None:
        """Its entries stay, with a name that nobody else gets."""
        self.accounts.discard(email)
        for policy in self.by_name.values():
            for binding in policy.get("bindings", []):
                gone, left = f"serviceAccount:{email}", f"deleted:serviceAccount:{email}?uid=1"
                binding["members"] = [left if member == gone else member for member in binding["members"]]

    def get(self, name: str) -> dict[str, Any]:
        return copy.deepcopy(self.by_name.get(name, {"version": 1, "etag": "etag-0"}))

    def put(self, name: str, policy: dict[str, Any], *, lost_race_status: int) -> dict[str, Any]:
        if policy.get("etag") != self.get(name)["etag"]:
            raise Refusal(lost_race_status, "ABORTED", "There were concurrent policy changes.")
        for binding in policy.get("bindings", []):
            if binding.get("condition") and policy.get("version") != 3:
                raise Refusal(400, "INVALID_ARGUMENT", "A policy with conditions must have version 3.")
            for member in binding["members"]:
                self._check(member)
        self._write_count += 1
        self.by_name[name] = {**policy, "etag": f"etag-{self._write_count}"}
        return self.get(name)

    def _check(self, member: str) -> None:
        kind, _, email = member.partition(":")
        if kind != "serviceAccount":
            return
        if email not in self.accounts or email in self._unknown_yet:
            self._unknown_yet.discard(email)
            raise Refusal(400, "INVALID_ARGUMENT", f"Service account {email} does not exist.")

    def allows(self, name: str, role: str, member: str) -> bool:
        bindings = self.get(name).get("bindings", [])
        return any(b["role"] == role and ({member, "allUsers"} & set(b["members"])) for b in bindings)

    def serve(self, request: Request, *, name: str) -> dict[str, Any]:
        """getIamPolicy and setIamPolicy of everything but buckets."""
        if request.method.endswith("getIamPolicy"):
            asked = request.query.get("options.requestedPolicyVersion") or (request.body or {}).get("options", {}).get(
                "requestedPolicyVersion"
            )
            if str(asked) != "3":
                raise Refusal(400, "INVALID_ARGUMENT", "The stand-in wants version 3: conditions would be lost.")
            return self.get(name)
        return self.put(name, request.body["policy"], lost_race_status=409)
