"""Turns one DNS message, as bytes, into its answer. Whatever the bytes are, it answers or stays silent."""

import ipaddress
from collections.abc import Callable

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataset
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.update

from drills.dns.settings import Settings
from drills.dns.zone import LocalZone

_HEADER_BYTES = 12
_UDP_BYTES = 512
_UDP_MAX_BYTES = 1232  # DNS Flag Day 2020
_MAX_BYTES = 65_535
_QR_BIT = 0x80
_NOT_SIGNED_RIGHT = (dns.message.UnknownTSIGKey, dns.tsig.BadTime, dns.tsig.BadSignature, dns.tsig.PeerError)


class Answerer:
    """Answers for one zone."""

    def __init__(self, settings: Settings, zone: LocalZone, *, answered: Callable[[], tuple[str, ...]]) -> None:
        self._settings = settings
        self._zone = zone
        self._answered = answered
        self._keyring: dict[dns.name.Name, dns.tsig.Key] = {}
        if settings.key:
            name = dns.name.from_text(settings.key[0])
            self._keyring = {name: dns.tsig.Key(name, settings.key[1], "hmac-sha256")}

    def answer(self, wire: bytes, *, is_udp: bool) -> bytes | None:
        """The answer, or None for what is too short, or itself an answer (two servers must not talk for ever)."""
        if len(wire) < _HEADER_BYTES or wire[2] & _QR_BIT:
            return None
        try:
            message = dns.message.from_wire(wire, keyring=self._keyring)
        except _NOT_SIGNED_RIGHT:
            return _bare(wire, dns.rcode.NOTAUTH)
        except (dns.exception.DNSException, ValueError):
            return _bare(wire, dns.rcode.FORMERR)
        response = self._respond(message)
        if not is_udp:
            whole: bytes = response.to_wire(max_size=_MAX_BYTES)
            return whole
        limit_bytes = max(_UDP_BYTES, min(message.payload, _UDP_MAX_BYTES)) if message.edns >= 0 else _UDP_BYTES
        fitting: bytes = response.to_wire(max_size=limit_bytes, prefer_truncation=True)
        return fitting

    def _respond(self, message: dns.message.Message) -> dns.message.Message:
        response = dns.message.make_response(message)
        response.flags |= dns.flags.AA
        if isinstance(message, dns.update.UpdateMessage):
            response.flags &= ~dns.flags.AA
            response.set_rcode(self._zone.update(message) if message.had_tsig else dns.rcode.REFUSED)
        elif message.opcode() != dns.opcode.QUERY:
            response.set_rcode(dns.rcode.NOTIMP)
        elif len(message.question) != 1:
            response.set_rcode(dns.rcode.FORMERR)
        else:
            self._look_up(message.question[0], response)
        return response

    def _look_up(self, question: dns.rrset.RRset, response: dns.message.Message) -> None:
        name = question.name
        if not name.is_subdomain(self._zone.origin):
            response.set_rcode(dns.rcode.REFUSED)
            return
        is_failover = name == self._zone.failover_name
        found = self._failover_set(question.rdtype) if is_failover else self._zone.find(name, question.rdtype)
        if found is None and not is_failover:
            found = self._zone.find(name, dns.rdatatype.CNAME)
        if found:
            response.answer.append(dns.rrset.from_rdata_list(name, found.ttl, list(found)))
            return
        if not is_failover and not self._zone.has_name(name):
            response.set_rcode(dns.rcode.NXDOMAIN)
        soa = self._zone.find(self._zone.origin, dns.rdatatype.SOA)
        if soa:
            response.authority.append(dns.rrset.from_rdata_list(self._zone.origin, soa.ttl, list(soa)))

    def _failover_set(self, record_type: dns.rdatatype.RdataType) -> dns.rdataset.Rdataset | None:
        addresses = [self._settings.targets[cloud][0] for cloud in self._answered()]
        wanted_version = {dns.rdatatype.A: 4, dns.rdatatype.AAAA: 6}.get(record_type)
        fitting = [a for a in addresses if ipaddress.ip_address(a).version == wanted_version]
        if not fitting:
            return None
        return dns.rdataset.from_text("IN", dns.rdatatype.to_text(record_type), self._settings.ttl_s, *fitting)


def _bare(wire: bytes, rcode: dns.rcode.Rcode) -> bytes:
    """A header alone: the request's id and opcode, and an error."""
    opcode_and_rd = wire[2] & 0x79
    return wire[:2] + bytes((_QR_BIT | opcode_and_rd, rcode)) + bytes(8)
