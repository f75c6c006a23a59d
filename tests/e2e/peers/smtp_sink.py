"""An SMTP server on loopback (aiosmtpd) that keeps what it is given, refuses what it is told to, breaks
off where it is told to, and remembers every line that it was sent."""

import asyncio
import collections
import logging
import socket
import ssl
import struct
import threading
import time
import warnings
from dataclasses import dataclass, field

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

logging.getLogger("mail.log").setLevel(logging.CRITICAL)
logging.getLogger("asyncio").setLevel(logging.CRITICAL)

# GREETING is what is said first, EHLO is HELO too, BODY the middle of a message, DOT the reply after it.
STAGES = ("GREETING", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "BODY", "DOT")

# Instead of a reply:
DROP = "drop"  # closes the connection
RESET = "reset"  # resets it
SILENCE = "silence"  # answers nothing until the client goes away
LOST = "lost"  # DOT only: the message is accepted, and the connection dropped before it is said


@dataclass(frozen=True)
class After:
    """A reply that takes its time. None: the usual one."""

    seconds: float
    reply: str = None


@dataclass
class Message:
    mail_from: str
    rcpt_tos: list
    raw: bytes  # between DATA and the final dot, dot-stuffing removed
    tls: bool
    user: str  # who authenticated; empty: nobody
    ehlo: str
    connection: int  # which connection, counted from 1
    when: float = 0.0  # time.time() at the final dot


@dataclass
class Transcript:
    """What one client said: command lines without CRLF, and messages with their final dot."""

    raw: bytearray = field(default_factory=bytearray)
    messages_at: list = field(default_factory=list)  # where in `raw` each message begins

    def commands(self):
        lines, place = [], 0
        for begin in self.messages_at:
            lines += self._lines(place, begin)
            place = self._end_of_message(begin)
        return lines + self._lines(place, len(self.raw))

    def messages(self):
        return [bytes(self.raw[begin : self._end_of_message(begin)]) for begin in self.messages_at]

    def _lines(self, begin, end):
        return [line.decode("latin-1") for line in bytes(self.raw[begin:end]).split(b"\r\n") if line]

    def _end_of_message(self, begin):
        found = self.raw.find(b"\r\n.\r\n", begin)
        return len(self.raw) if found < 0 else found + 5


@dataclass
class _Plan:
    replies: dict = field(default_factory=lambda: {stage: collections.deque() for stage in STAGES})
    always: dict = field(default_factory=dict)
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
            self.transcript = Transcript()
            self.sink.transcripts.append(self.transcript)
        super().connection_made(transport)

    def data_received(self, data):
        self.transcript.raw += data
        super().data_received(data)

    async def push(self, status):
        if status[:3] in ("354", b"354"):
            self.transcript.messages_at.append(len(self.transcript.raw))
        await super().push(status)

    async def scripted(self, stage):
        """The reply that the test wants here, or None. Does not return where it wants none."""
        if self.sink.observer:
            self.sink.observer(stage)
        if self.sink.plan.delays.get(stage):
            await asyncio.sleep(self.sink.plan.delays[stage])
        queue = self.sink.plan.replies[stage]
        reply = queue.popleft() if queue else self.sink.plan.always.get(stage)
        if isinstance(reply, After):
            await asyncio.sleep(reply.seconds)
            reply = reply.reply
        if reply in (DROP, RESET, SILENCE):
            await self.break_off(reply)
        return reply

    async def break_off(self, how):
        if how == RESET:
            linger = struct.pack("ii", 1, 0)
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.transport.abort()
        elif how == DROP:
            self.transport.close()
        # The end of the connection cancels whoever waits here.
        await self.loop.create_future()

    async def _handle_client(self):
        reply = await self.scripted("GREETING")
        if reply:
            await self.push(reply)
            self.transport.close()
            return
        await super()._handle_client()

    @property
    def is_encrypted(self):
        return self.transport.get_extra_info("ssl_object") is not None

    async def smtp_STARTTLS(self, arg):
        self.sink.handshakes += 1
        if await self._refused("STARTTLS"):
            return
        if self.sink.starttls != "broken":
            await super().smtp_STARTTLS(arg)
            return
        await self.push("220 2.0.0 Ready to start TLS")
        self._writer.write(b"this is not a TLS record\r\n")
        await self._writer.drain()
        self.transport.close()

    async def _refused(self, stage):
        reply = await self.scripted(stage)
        if reply:
            await self.push(reply)
        return bool(reply)

    async def smtp_EHLO(self, hostname):
        if not await self._refused("EHLO"):
            await super().smtp_EHLO(hostname)

    async def smtp_HELO(self, hostname):
        # What a client tries when EHLO is refused.
        if not await self._refused("EHLO"):
            await super().smtp_HELO(hostname)

    async def smtp_AUTH(self, arg):
        self.sink.auth_times.append(time.monotonic())
        if not await self._refused("AUTH"):
            await super().smtp_AUTH(arg)

    async def smtp_DATA(self, arg):
        if await self._refused("DATA"):
            return
        if self.sink.plan.replies["BODY"]:
            await self.push("354 go on")
            for _ in range(5):
                await self._reader.readuntil()
            if reply := await self.scripted("BODY"):
                await self.push(reply)
                self.transport.close()
            return
        await super().smtp_DATA(arg)


class _Handler:
    def __init__(self, sink):
        self.sink = sink

    async def handle_MAIL(self, server, session, envelope, address, options):
        reply = await server.scripted("MAIL")
        if reply and not reply.startswith("2"):
            return reply
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return reply or "250 2.1.0 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        self.sink.recipients.append(address)
        reply = await server.scripted("RCPT") or self.sink.plan.recipients.get(address)
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
            when=time.time(),
        )
        self.sink.offered.append(message)
        reply = await server.scripted("DOT")
        if reply == LOST:
            self.sink.messages.append(message)
            await server.break_off(DROP)
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
        self.transcripts = []  # one a connection
        self.auth_times = []  # time.monotonic() of every AUTH
        self.observer = None  # called with each stage before it is answered, in the server's thread
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
        comes after them is answered as usual. A reply may be DROP, RESET, SILENCE or After(…)."""
        self.plan.replies[stage].extend(replies)

    def always(self, stage, reply):
        """Answers every command of a stage that has no script with this reply; None: as usual."""
        self.plan.always[stage] = reply

    def delay(self, stage, seconds):
        """Every reply of the stage takes this long."""
        self.plan.delays[stage] = seconds

    def refuse(self, address, reply):
        """RCPT TO this address is always answered with this reply."""
        self.plan.recipients[address] = reply

    def to(self, address):
        """The accepted messages for one recipient."""
        return [m for m in self.messages if address in m.rcpt_tos]

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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that passwords in clear are not safe
            return self._new_protocol()

    def _new_protocol(self):
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
