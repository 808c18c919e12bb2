"""A DNS server of one's own, by signed updates (RFC 2136, RFC 8945): compare and swap, so that one of two writers wins.

reader A: sees aws           reader B: sees aws
A: if still aws, then gcp    B: if still aws, then azure      the second to arrive is refused (NXRRSET)
"""

from dataclasses import dataclass

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update

from handlers.dns.declaration import Declaration
from handlers.dns.plan import DnsHostError, HostPlan, LostRaceError

_STATIC_NOTE = "this record is static, and only `switch` moves it"
_LOST = (dns.rcode.NXRRSET, dns.rcode.YXRRSET, dns.rcode.NXDOMAIN, dns.rcode.YXDOMAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateServer:
    """Where updates go, and the key that signs them.

    Attributes:
        key_secret: Base64, as every DNS server's configuration has it.
        timeout_s: Of one exchange.
    """

    address: str
    port: int
    key_name: str
    key_secret: str
    key_algorithm: str = "hmac-sha256"
    timeout_s: float = 5.0

    def exchange(self, message: dns.message.Message) -> dns.message.Message:
        """Sign, send over TCP, and check the answer's signature.

        Raises:
            DnsHostError: The answer is not signed, or not by this key.
        """
        name = dns.name.from_text(self.key_name)
        key = dns.tsig.Key(name, self.key_secret, self.key_algorithm)
        message.use_tsig({name: key}, name)
        try:
            answer = dns.query.tcp(message, self.address, port=self.port, timeout=self.timeout_s)
        except (dns.tsig.PeerError, dns.tsig.BadSignature, dns.message.UnknownTSIGKey) as error:
            raise DnsHostError(f"the server and we do not agree on the key: {type(error).__name__}") from error
        except dns.exception.FormError as error:  # dnspython refuses an unsigned answer to a signed request
            raise DnsHostError(
                f"the server and we do not agree on the key, or the answer is forged: {error}"
            ) from error
        if answer.rcode() in (dns.rcode.NOTAUTH, dns.rcode.REFUSED):
            raise DnsHostError(f"the server refuses: {dns.rcode.to_text(answer.rcode())}")
        return answer


class Rfc2136Host:
    """One record on a server that takes updates."""

    def __init__(self, declaration: Declaration, server: UpdateServer, *, serving: dict[str, bool]) -> None:
        self._declaration = declaration
        self._server = server
        self._serving = serving

    def plan(self) -> HostPlan:
        found = self.look()
        values = list(self._declaration.targets.values())
        standing = [value for value in values if value in found]
        chosen = (standing or [value for value in values if self._serving[value]] or values)[0]
        return self._plan(found, chosen, note=_STATIC_NOTE)

    def plan_switch(self, target: str) -> HostPlan | None:
        return self._plan(self.look(), target, note="")

    def look(self) -> frozenset[str]:
        """The values that the server answers now; empty if there is no such record."""
        name, record_type = self._declaration.fqdn, self._declaration.record_type
        answer = self._server.exchange(dns.message.make_query(name, record_type))
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            raise DnsHostError(f"the server answers {dns.rcode.to_text(answer.rcode())}")
        wanted = dns.rdatatype.from_text(record_type)
        owner = dns.name.from_text(name)
        return frozenset(
            rdata.to_text()
            for rrset in answer.answer
            if (rrset.name, rrset.rdtype) == (owner, wanted)
            for rdata in rrset
        )

    def swap(self, found: frozenset[str], target: str) -> None:
        """Lead the name to `target` if it still leads to `found`.

        Raises:
            LostRaceError: It does not; nothing was changed.
            DnsHostError: The server refuses for another reason.
        """
        name, record_type = self._declaration.name, self._declaration.record_type
        update = dns.update.UpdateMessage(self._declaration.zone)
        if found:
            update.present(name, record_type, *sorted(found))
        else:
            update.absent(name, record_type)
        update.replace(name, self._declaration.ttl_s, record_type, target)
        rcode = self._server.exchange(update).rcode()
        if rcode in _LOST:
            raise LostRaceError(f"the record is no longer {', '.join(sorted(found)) or 'absent'}: another switch won")
        if rcode != dns.rcode.NOERROR:
            raise DnsHostError(f"the update was answered with {dns.rcode.to_text(rcode)}")

    def _plan(self, found: frozenset[str], target: str, *, note: str) -> HostPlan:
        after = frozenset({target})
        shown = f"{self._declaration.fqdn} {self._declaration.record_type}"
        changes = () if found == after else (f"{', '.join(sorted(found)) or 'nothing'} → {target} at {shown}",)
        return HostPlan(changes=changes, before=found, after=after, note=note, apply=lambda: self.swap(found, target))
