"""A client of the daemon's own HTTP server, for requests that are sent byte by byte, and others."""

import base64
import hashlib
import http.client
import json
import re
import socket
import ssl

from peers.rapporteur import wait_until


# "secret" by bcrypt with the fewest rounds there are.
SECRET = "$2b$04$IRKgzkznvNuRT9uMUNlimeGF6W5mVS.4DeQ98zGMB9G9f2OAtOPM."
# "changed", likewise.
CHANGED = "$2b$04$B1SueEjwn9e.x.i1aU7gue3cbcxv6Jm.bPCE67Xc6DwYDnPn./8zm"


def digest(token):
    return "{bearer}" + hashlib.sha256(token.encode()).hexdigest()


def write_users(site, *lines):
    path = site.directory / "users"
    path.write_text("# who may use it\n\n" + "".join(line + "\n" for line in lines))
    path.chmod(0o600)
    return str(path)


def listen(site, **more):
    """Gives the site an HTTP server on a free port of loopback."""
    site.config["http"] = {"listen": "127.0.0.1:0", **more}


def port_of(site):
    """Where the running daemon listens."""

    def found():
        of_this_run = site.log().rpartition(" stopped ")[2]
        match = re.findall(r"started .*http=\S*:(\d+)", of_this_run)
        return int(match[-1]) if match else None

    return wait_until(found, lambda: f"the log names no port:\n{site.log()}")


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)


class HttpClient:
    """Keeps its connection. `tls`: an ssl.SSLContext."""

    def __init__(self, port, tls=None, host="localhost", timeout=60):
        if tls is None:
            self.connection = http.client.HTTPConnection(host, port, timeout=timeout)
        else:
            self.connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=tls)

    def ask(self, method, path, body=None, headers=None):
        if not isinstance(body, (bytes, str, type(None))):
            body = json.dumps(body)
        self.connection.request(method, path, body, headers or {})
        return Answer(self.connection.getresponse())

    def sessions(self, sessions, **headers):
        """POST /v1/sessions; the counts."""
        body = "".join(json.dumps(s) + "\n" for s in sessions)
        answer = self.ask("POST", "/v1/sessions", body, {k.replace("_", "-"): v for k, v in headers.items()})
        assert answer.status == 200, (answer.status, answer.body)
        return answer.json()

    def close(self):
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class RawClient:
    """Sends bytes, reads answers. `tls`: an ssl.SSLContext."""

    def __init__(self, port, tls=None, timeout=60):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")

    def send(self, data):
        self.socket.sendall(data)

    def read(self):
        """The next answer."""
        return self.read_to("GET")

    def read_to(self, method):
        """The next answer, to a request of this method."""
        response = http.client.HTTPResponse(self.socket, method=method)
        response.begin()
        return Answer(response)

    def ended(self):
        """Whether the other side closes without another word."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def trusting(authority):
    return ssl.create_default_context(cafile=authority)
