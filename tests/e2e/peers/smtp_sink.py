"""An SMTP server on loopback (aiosmtpd) that keeps what it is given and refuses what it is told to."""

import asyncio
import collections
import logging
import socket
import ssl
import threading
from dataclasses import dataclass, field

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

logging.getLogger("mail.log").setLevel(logging.CRITICAL)
logging.getLogger("asyncio").setLevel(logging.CRITICAL)

STAGES = ("EHLO", "MAIL", "RCPT", "DATA", "DOT")


@dataclass
class Message:
    mail_from: str
    rcpt_tos: list
    raw: bytes  # between DATA and the final dot, dot-stuffing removed
    tls: bool
    user: str  # who authenticated; empty: nobody
    ehlo: str
    connection: int  # which connection, counted from 1


@dataclass
class _Plan:
    replies: dict = field(default_factory=lambda: {stage: collections.deque() for stage in STAGES})
    delays: dict = field(default_factory=dict)
    recipients: dict = field(default_factory=dict)


class _Protocol(SMTP):
    line_length_limit = 1 << 20  # what is too long is for the test to say

    def __init__(self, sink, *args, **kwargs):
        self.sink = sink
        self.number = 0
        super().__init__(*args, **kwargs)

    def connection_made(self, transport):
        if self._original_transport is None:
            self.sink.connections += 1
            self.number = self.sink.connections
        super().connection_made(transport)

    @property
    def is_encrypted(self):
        return self.transport.get_extra_info("ssl_object") is not None

    async def smtp_STARTTLS(self, arg):
        self.sink.handshakes += 1
        if self.sink.starttls != "broken":
            await super().smtp_STARTTLS(arg)
            return
        await self.push("220 2.0.0 Ready to start TLS")
        self._writer.write(b"this is not a TLS record\r\n")
        await self._writer.drain()
        self.transport.close()

    async def smtp_EHLO(self, hostname):
        reply = await self.sink.scripted("EHLO")
        if reply:
            await self.push(reply)
            return
        await super().smtp_EHLO(hostname)

    async def smtp_DATA(self, arg):
        reply = await self.sink.scripted("DATA")
        if reply:
            await self.push(reply)
            return
        await super().smtp_DATA(arg)


class _Handler:
    def __init__(self, sink):
        self.sink = sink

    async def handle_MAIL(self, server, session, envelope, address, options):
        reply = await self.sink.scripted("MAIL")
        if reply and not reply.startswith("2"):
            return reply
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return reply or "250 2.1.0 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        self.sink.recipients.append(address)
        reply = await self.sink.scripted("RCPT") or self.sink.plan.recipients.get(address)
        if reply and not reply.startswith("2"):
            return reply
        envelope.rcpt_tos.append(address)
        return reply or "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        message = Message(
            mail_from=envelope.mail_from,
            rcpt_tos=list(envelope.rcpt_tos),
            raw=bytes(envelope.original_content),
            tls=server.is_encrypted,
            user=session.auth_data or "",
            ehlo=session.host_name,
            connection=server.number,
        )
        self.sink.offered.append(message)
        reply = await self.sink.scripted("DOT")
        if reply and not reply.startswith("2"):
            return reply
        self.sink.messages.append(message)
        return reply or "250 2.0.0 queued"


class SmtpSink:
    """`starttls`: "none" does not offer it, "offer" does with `certificate`, "broken" lets every
    handshake fail, "implicit" speaks TLS from the first byte. `credentials`: (user, password) that
    AUTH accepts and without which nothing is accepted; AUTH is offered only over TLS unless
    `auth_in_clear`."""

    def __init__(self, starttls="none", certificate=None, credentials=None, auth_in_clear=False,
                 port=0):
        if starttls not in ("none", "offer", "broken", "implicit"):
            raise ValueError(starttls)
        self.starttls = starttls
        self.messages = []  # accepted
        self.offered = []  # everything that came as far as the final dot
        self.recipients = []  # every RCPT TO, whatever the answer
        self.connections = 0
        self.handshakes = 0  # STARTTLS commands
        self.plan = _Plan()
        self._credentials = credentials
        self._auth_in_clear = auth_in_clear
        self._context = certificate.server_context() if certificate else None
        if starttls == "broken" and self._context is None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        self.port = self._socket.getsockname()[1]
        scheme = "smtps" if starttls == "implicit" else "smtp"
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        if not self._started.wait(10):
            raise RuntimeError("the SMTP sink does not start")

    def script(self, stage, *replies):
        """Answers the next commands of a stage with these replies, in this order; None and what
        comes after them is answered as usual. DOT is the reply after the final dot."""
        self.plan.replies[stage].extend(replies)

    def delay(self, stage, seconds):
        """Every reply of the stage takes this long."""
        self.plan.delays[stage] = seconds

    def refuse(self, address, reply):
        """RCPT TO this address is always answered with this reply."""
        self.plan.recipients[address] = reply

    def to(self, address):
        """The accepted messages for one recipient."""
        return [m for m in self.messages if address in m.rcpt_tos]

    async def scripted(self, stage):
        if self.plan.delays.get(stage):
            await asyncio.sleep(self.plan.delays[stage])
        queue = self.plan.replies[stage]
        return queue.popleft() if queue else None

    def close(self):
        if not self._loop.is_closed() and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _authenticate(self, server, session, envelope, mechanism, data):
        known = isinstance(data, LoginPassword) and self._credentials == (
            data.login.decode(),
            data.password.decode(),
        )
        # handled=False lets aiosmtpd send the 535 of a failed attempt itself.
        return AuthResult(success=known, handled=known, auth_data=data.login.decode())

    def _protocol(self):
        return _Protocol(
            self,
            _Handler(self),
            hostname="relay.example",
            loop=self._loop,
            data_size_limit=64 << 20,
            tls_context=self._context if self.starttls in ("offer", "broken") else None,
            auth_required=self._credentials is not None,
            auth_require_tls=not self._auth_in_clear,
            authenticator=self._authenticate,
        )

    def _serve(self):
        asyncio.set_event_loop(self._loop)
        implicit = self._context if self.starttls == "implicit" else None
        server = self._loop.run_until_complete(
            self._loop.create_server(self._protocol, sock=self._socket, ssl=implicit)
        )
        self._started.set()
        try:
            self._loop.run_forever()
        finally:
            server.close()
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self._loop.close()
