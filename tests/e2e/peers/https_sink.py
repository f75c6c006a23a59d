"""An HTTPS server on loopback that keeps every request and answers as it is told to."""

import collections
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Request:
    method: str
    path: str
    headers: dict  # names in lower case
    body: bytes


class HttpsSink:
    """Answers 201 unless `script` says otherwise."""

    def __init__(self, certificate, port=0):
        self.requests = []  # every one, whatever the answer
        self.accepted = []  # those that were answered with 2xx
        self._statuses = collections.deque()
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
                )
                sink.requests.append(request)
                status, headers, body = sink._statuses.popleft() if sink._statuses else (201, {}, b"")
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
                pass  # a client that does not trust the certificate goes away

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
        """The next answers: a status, or (status, headers), or (status, headers, body)."""
        for answer in answers:
            status, headers, body = (*answer, {}, b"")[:3] if isinstance(answer, tuple) else (answer, {}, b"")
            self._statuses.append((status, headers, body))

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
