"""An HTTPS server on loopback that keeps every request and answers as it is told to, or worse."""

import collections
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Request:
    method: str
    path: str
    headers: dict  # names in lower case
    body: bytes
    when: float = 0.0  # time.time() when it was there


# Instead of an answer:


def silence(handler):
    """Nothing, until the client goes away."""
    handler.rfile.read(1)


def drop(handler):
    """The end of the connection."""


def endless_header(handler):
    """A header that never ends."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        handler.wfile.write(b"X-Filler: " + b"x" * 1000 + b"\r\n")


def endless_body(status=200):
    """A body that never ends, after this status."""

    def answer(handler):
        handler.wfile.write(b"HTTP/1.1 %d Yes\r\nTransfer-Encoding: chunked\r\n\r\n" % status)
        while True:
            handler.wfile.write(b"400\r\n" + b"y" * 0x400 + b"\r\n")

    return answer


class HttpsSink:
    """Answers 201 unless `script` says otherwise."""

    def __init__(self, certificate, port=0):
        self.requests = []  # every one, whatever the answer
        self.accepted = []  # those that were answered with 2xx
        self.observer = None  # called before each answer, in the connection's thread
        self._answers = collections.deque()
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                length = int(self.headers.get("Content-Length", "0"))
                request = Request(
                    self.command,
                    self.path,
                    {name.lower(): value for name, value in self.headers.items()},
                    self.rfile.read(length),
                    time.time(),
                )
                sink.requests.append(request)
                if sink.observer:
                    sink.observer()
                answer = sink._answers.popleft() if sink._answers else (201, {}, b"")
                if callable(answer):
                    self.close_connection = True
                    answer(self)
                    return
                status, headers, body = answer
                if 200 <= status < 300:
                    sink.accepted.append(request)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_PUT = do_POST

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # a client that does not trust the certificate, or has read enough, goes away

        self._server = Server(("127.0.0.1", port), Handler)
        context = certificate.server_context()
        # The handshake takes place in the connection's own thread.
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.port = self._server.server_address[1]
        self.url = f"https://localhost:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def script(self, *answers):
        """The next answers: a status, (status, headers), (status, headers, body), or one of the
        functions above."""
        for answer in answers:
            if callable(answer):
                self._answers.append(answer)
            else:
                status, headers, body = (*answer, {}, b"")[:3] if isinstance(answer, tuple) else (answer, {}, b"")
                self._answers.append((status, headers, body))

    def forget_script(self):
        self._answers.clear()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
