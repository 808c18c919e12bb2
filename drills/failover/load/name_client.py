"""Resolves the drill's name as a client does: asks over UDP, and keeps the answer for its TTL."""

import threading
import time

import dns.exception
import dns.message
import dns.query
import dns.rdatatype

from drills.supervisor import LOOPBACK

_TIMEOUT_S = 1.0


class NameClient:
    """One resolver that several clients of one machine share; from any thread."""

    def __init__(self, name: str, *, port: int, server: str = LOOPBACK) -> None:
        """`server`: the address of the DNS server that is asked, at `port`."""
        self._name, self._port, self._server = name, port, server
        self._lock = threading.Lock()
        self._address, self._until_s = "", 0.0

    def address(self) -> str:
        """The address that the name stands for; an answer older than its TTL is asked for again.

        Raises:
            OSError: The server does not answer, or knows no address.
        """
        with self._lock:
            if time.monotonic() >= self._until_s:
                self._address, ttl_s = self._ask()
                self._until_s = time.monotonic() + ttl_s
            return self._address

    def _ask(self) -> tuple[str, int]:
        query = dns.message.make_query(self._name, "A")
        try:
            answer = dns.query.udp(query, self._server, port=self._port, timeout=_TIMEOUT_S)
        except dns.exception.DNSException as error:
            raise OSError(f"the name is not resolved: {type(error).__name__}") from error
        for rrset in answer.answer:
            if rrset.rdtype == dns.rdatatype.A:
                return rrset[0].to_text(), rrset.ttl
        raise OSError("the name has no address")
