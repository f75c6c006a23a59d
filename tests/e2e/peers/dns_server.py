"""A DNS server on loopback, UDP and TCP, whose zone may be changed while it runs."""

import socket
import struct
import threading

from dnslib import AAAA, CNAME, MX, PTR, QTYPE, RCODE, RR, SOA, TXT, A, DNSRecord

NXDOMAIN = "NXDOMAIN"
NODATA = "NODATA"
SERVFAIL = "SERVFAIL"
SILENCE = "SILENCE"

UDP_LIMIT = 1232


class Alias:
    """A CNAME to another name of the zone."""

    def __init__(self, target):
        self.target = target


def character_strings(text, size=255):
    """The pieces of which a TXT record consists."""
    data = text.encode() if isinstance(text, str) else text
    return [data[i : i + size] for i in range(0, len(data), size)] or [b""]


class DnsServer:
    """Answers queries from `zone`: a name in lower case without trailing dot to one of NXDOMAIN,
    NODATA, SERVFAIL, SILENCE, an Alias, a list of TXT records, or a dict of lists by type: "TXT",
    "MX" (pairs of preference and name), "A", "AAAA", "PTR". A TXT record is a text, cut into pieces
    as needed, or a list of its pieces. A name that is not in the zone does not exist."""

    def __init__(self, zone=None):
        self.zone = dict(zone or {})
        self.queries = []  # (name, type) in the order in which they came
        self.observer = None  # called with each name before it is answered
        self._tcp, self._udp = self._bind()
        self.port = self._udp.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self._closed = False
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    @staticmethod
    def _bind():
        for _ in range(50):
            tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            tcp.bind(("127.0.0.1", 0))
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                udp.bind(tcp.getsockname())
            except OSError:
                tcp.close()
                udp.close()
                continue
            tcp.listen(64)
            return tcp, udp
        raise OSError("no port is free for both UDP and TCP")

    def close(self):
        self._closed = True
        for sock in (self._tcp, self._udp):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def tlsrpt(self, domain, *records):
        """Publishes TLSRPT records for a domain; or one of the words above."""
        if len(records) == 1 and records[0] in (NXDOMAIN, NODATA, SERVFAIL, SILENCE):
            self.zone[f"_smtp._tls.{domain}"] = records[0]
        else:
            self.zone[f"_smtp._tls.{domain}"] = list(records)

    def asked_for(self, name):
        return sum(1 for asked, _ in self.queries if asked == name)

    def txt(self, name):
        """The texts that stand under a name, joined, as a resolver's user would see them."""
        entry = self.zone.get(name.rstrip(".").lower())
        if isinstance(entry, Alias):
            return self.txt(entry.target)
        if not isinstance(entry, list):
            return []
        return ["".join(r) if isinstance(r, list) else r for r in entry]

    def _answer(self, data):
        """The reply to one query; None for silence."""
        request = DNSRecord.parse(data)
        name = str(request.q.qname).rstrip(".").lower()
        self.queries.append((name, QTYPE[request.q.qtype]))
        if self.observer:
            self.observer(name)
        reply = request.reply(ra=1, aa=0)
        entry = self.zone.get(name, NXDOMAIN)
        owner = request.q.qname
        for _ in range(8):
            if not isinstance(entry, Alias):
                break
            reply.add_answer(RR(owner, QTYPE.CNAME, rdata=CNAME(entry.target), ttl=0))
            owner = entry.target
            entry = self.zone.get(entry.target.rstrip(".").lower(), NXDOMAIN)
        if entry == SILENCE:
            return None
        if entry == SERVFAIL:
            reply.header.rcode = RCODE.SERVFAIL
        elif not (records := self._records(entry, QTYPE[request.q.qtype])):
            if entry == NXDOMAIN:
                reply.header.rcode = RCODE.NXDOMAIN
            authority = SOA("ns.example", "hostmaster.example", (1, 3600, 600, 86400, 0))
            reply.add_auth(RR("example", QTYPE.SOA, rdata=authority, ttl=0))
        else:
            for data in records:
                reply.add_answer(RR(owner, request.q.qtype, rdata=data, ttl=0))
        return reply

    @staticmethod
    def _records(entry, kind):
        """The data of the records of one type."""
        if isinstance(entry, list):
            entry = {"TXT": entry}
        if not isinstance(entry, dict):
            return []

        def text(record):
            pieces = record if isinstance(record, list) else character_strings(record)
            return TXT([piece.encode() if isinstance(piece, str) else piece for piece in pieces])

        make = {
            "TXT": text,
            "MX": lambda record: MX(record[1], record[0]),
            "A": A,
            "AAAA": AAAA,
            "PTR": PTR,
        }
        return [make[kind](record) for record in entry.get(kind, [])] if kind in make else []

    def _serve_udp(self):
        while not self._closed:
            try:
                data, peer = self._udp.recvfrom(65535)
            except OSError:
                return
            try:
                reply = self._answer(data)
            except Exception:  # not DNS: a name server drops it
                continue
            if reply is None:
                continue
            packed = reply.pack()
            if len(packed) > UDP_LIMIT:
                packed = reply.truncate().pack()
            try:
                self._udp.sendto(packed, peer)
            except OSError:
                return

    def _serve_tcp(self):
        while not self._closed:
            try:
                connection, _ = self._tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_connection, args=(connection,), daemon=True).start()

    def _serve_connection(self, connection):
        with connection, connection.makefile("rb") as stream:
            while True:
                length = stream.read(2)
                if len(length) < 2:
                    return
                reply = self._answer(stream.read(struct.unpack("!H", length)[0]))
                if reply is None:
                    continue
                packed = reply.pack()
                connection.sendall(struct.pack("!H", len(packed)) + packed)
