"""One zone in memory: its records, and updates with prerequisites (RFC 2136, sections 3.2 and 3.4)."""

import threading
from collections.abc import Iterable

import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rrset
import dns.update

from drills.dns.settings import Settings

Sets = dict[tuple[dns.name.Name, dns.rdatatype.RdataType], dns.rdataset.Rdataset]


class LocalZone:
    """The static records. The failover name is not among them: health decides there, and updates of it are refused."""

    def __init__(self, settings: Settings) -> None:
        self.origin = dns.name.from_text(settings.zone)
        self.failover_name = dns.name.from_text(settings.name, self.origin)
        self._lock = threading.Lock()
        self._sets: Sets = {}
        soa = f"ns.{self.origin} hostmaster.{self.origin} 1 60 60 3600 1"
        self._put(self.origin, dns.rdataset.from_text("IN", "SOA", 1, soa))
        self._put(self.origin, dns.rdataset.from_text("IN", "NS", 60, f"ns.{self.origin}"))
        for name, ttl_s, record_type, values in settings.records:
            found = dns.rdataset.from_text("IN", record_type, ttl_s, *values)
            self._put(dns.name.from_text(name, self.origin), found)

    def find(self, name: dns.name.Name, record_type: dns.rdatatype.RdataType) -> dns.rdataset.Rdataset | None:
        with self._lock:
            return self._sets.get((name, record_type))

    def has_name(self, name: dns.name.Name) -> bool:
        with self._lock:
            return any(owner == name for owner, _ in self._sets)

    def update(self, message: dns.update.UpdateMessage) -> dns.rcode.Rcode:
        """Do all of an update, or nothing if a prerequisite fails. One lock for both: of two writers one wins."""
        if len(message.zone) != 1 or message.zone[0].name != self.origin:
            return dns.rcode.NOTAUTH
        touched = [*message.prerequisite, *message.update]
        if not all(rrset.name.is_subdomain(self.origin) for rrset in touched):
            return dns.rcode.NOTZONE
        if any(rrset.name in (self.failover_name, self.origin) for rrset in message.update):
            return dns.rcode.REFUSED
        with self._lock:
            rcode = self._failed(message.prerequisite)
            if rcode == dns.rcode.NOERROR:
                for rrset in message.update:
                    self._change(rrset)
            return rcode

    def _failed(self, prerequisites: Iterable[dns.rrset.RRset]) -> dns.rcode.Rcode:
        """NOERROR, or the code of the first prerequisite that does not hold."""
        expected: Sets = {}
        for rrset in prerequisites:
            has_name = any(owner == rrset.name for owner, _ in self._sets)
            found = self._sets.get((rrset.name, rrset.rdtype))
            match (rrset.deleting, rrset.rdtype == dns.rdatatype.ANY):
                case (dns.rdataclass.ANY, True) if not has_name:
                    return dns.rcode.NXDOMAIN
                case (dns.rdataclass.ANY, False) if found is None:
                    return dns.rcode.NXRRSET
                case (dns.rdataclass.NONE, True) if has_name:
                    return dns.rcode.YXDOMAIN
                case (dns.rdataclass.NONE, False) if found is not None:
                    return dns.rcode.YXRRSET
                case (None, _):
                    key = (rrset.name, rrset.rdtype)
                    expected[key] = _joined(expected.get(key, ()), rrset, rrset)
        for key, wanted in expected.items():
            found = self._sets.get(key)
            if found is None or set(found) != set(wanted):
                return dns.rcode.NXRRSET
        return dns.rcode.NOERROR

    def _change(self, rrset: dns.rrset.RRset) -> None:
        key = (rrset.name, rrset.rdtype)
        match rrset.deleting:
            case None:
                self._sets[key] = _joined(self._sets.get(key, ()), rrset, rrset)
            case dns.rdataclass.ANY:
                self._sets = {
                    (owner, kind): found
                    for (owner, kind), found in self._sets.items()
                    if owner != rrset.name or rrset.rdtype not in (kind, dns.rdatatype.ANY)
                }
            case _:
                found = self._sets.pop(key, None)
                left = set(found or ()) - set(rrset)
                if found is not None and left:
                    self._sets[key] = _joined(left, (), found)

    def _put(self, name: dns.name.Name, found: dns.rdataset.Rdataset) -> None:
        self._sets[(name, found.rdtype)] = found


def _joined(
    some: Iterable[dns.rdata.Rdata], more: Iterable[dns.rdata.Rdata], like: dns.rdataset.Rdataset
) -> dns.rdataset.Rdataset:
    """All of both, with class, type and TTL of a third."""
    joined = dns.rdataset.Rdataset(like.rdclass, like.rdtype)
    for rdata in (*some, *more):
        joined.add(rdata)
    joined.ttl = like.ttl
    return joined
