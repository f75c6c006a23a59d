"""An SMTP server on loopback for very many mails: it keeps them, and does nothing else. `delay`: seconds
that it takes over each."""

import asyncio
import threading
from dataclasses import dataclass


@dataclass
class Kept:
    recipient: str
    raw: bytes
    when: float  # of the server's loop


class _Session(asyncio.Protocol):
    def __init__(self, sink):
        self.sink = sink
        self.buffer = bytearray()
        self.recipient = ""
        self.in_data = False
        self.waiting = False

    def connection_made(self, transport):
        self.transport = transport
        self.sink.connections += 1
        transport.write(b"220 sink.example ESMTP\r\n")

    def data_received(self, data):
        self.buffer += data
        self.work()

    def work(self):
        while not self.waiting:
            if self.in_data:
                end = self.buffer.find(b"\r\n.\r\n")
                if end < 0:
                    return
                raw = bytes(self.buffer[:end + 2]).replace(b"\r\n..", b"\r\n.")
                del self.buffer[:end + 5]
                self.in_data = False
                self.take(raw)
                continue
            end = self.buffer.find(b"\r\n")
            if end < 0:
                return
            line = bytes(self.buffer[:end])
            del self.buffer[:end + 2]
            self.answer(line)

    def answer(self, line):
        word = line[:4].upper()
        if word == b"RCPT":
            self.recipient = line[line.find(b"<") + 1:line.find(b">")].decode()
        if word == b"DATA":
            self.in_data = True
            self.transport.write(b"354 go on\r\n")
        elif word == b"QUIT":
            self.transport.write(b"221 bye\r\n")
            self.transport.close()
        elif word == b"EHLO":
            self.transport.write(b"250-sink.example\r\n250 8BITMIME\r\n")
        else:
            self.transport.write(b"250 ok\r\n")

    def take(self, raw):
        loop = self.sink.loop
        self.sink.kept.append(Kept(self.recipient, raw, loop.time()))
        if not self.sink.delay:
            self.transport.write(b"250 kept\r\n")
            return
        self.waiting = True
        loop.call_later(self.sink.delay, self.done)

    def done(self):
        self.waiting = False
        self.transport.write(b"250 kept\r\n")
        self.work()


class QuickSink:
    def __init__(self, delay=0.0):
        self.delay = delay
        self.kept = []
        self.connections = 0
        self.loop = asyncio.new_event_loop()
        started = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(started,), daemon=True)
        self._thread.start()
        if not started.wait(10):
            raise RuntimeError("the sink does not start")

    def _serve(self, started):
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(
            self.loop.create_server(lambda: _Session(self), "127.0.0.1", 0, backlog=512))
        self.port = server.sockets[0].getsockname()[1]
        self.url = f"smtp://127.0.0.1:{self.port}"
        started.set()
        self.loop.run_forever()
        server.close()
        self.loop.run_until_complete(server.wait_closed())

    def close(self):
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
