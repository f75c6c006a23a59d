"""Debian's Postfix as a relay on loopback, with a configuration, queue and log of its own. The binaries are
those that are installed, or else those that scripts/test has unpacked; nothing is installed or changed."""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time

from .rapporteur import ROOT, wait_until

UNPACKED = ROOT / "build" / "peers" / "postfix"

# Postfix wants a user of its own and a group of its own. These are on every Debian system, and nothing runs
# as them.
OWNER, GROUP, NOBODY = "uucp", "mail", "nobody"

_QUEUE = {
    **dict.fromkeys(("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private",
                     "saved", "trace"), ("0700", OWNER, "root")),
    "maildrop": ("0730", OWNER, GROUP),
    "public": ("0710", OWNER, GROUP),
    "pid": ("0755", "root", "root"),
}

_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup    unix       n - n 60 1 pickup
cleanup   unix       n - n - 0 cleanup
qmgr      unix       n - n 300 1 qmgr
tlsmgr    unix       - - n 1000? 1 tlsmgr
rewrite   unix       - - n - - trivial-rewrite
bounce    unix       - - n - 0 bounce
defer     unix       - - n - 0 bounce
trace     unix       - - n - 0 bounce
verify    unix       - - n - 1 verify
flush     unix       n - n 1000? 0 flush
proxymap  unix       - - n - - proxymap
smtp      unix       - - n - - smtp
showq     unix       n - n - - showq
error     unix       - - n - - error
retry     unix       - - n - - error
discard   unix       - - n - - discard
anvil     unix       - - n - 1 anvil
scache    unix       - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""


def _binaries():
    """The directory under which Debian's package is unpacked; `/` where it is installed."""
    for prefix in (pathlib.Path("/"), UNPACKED):
        if (prefix / "usr/lib/postfix/sbin/master").exists():
            return prefix
    raise AssertionError(f"no Postfix: neither /usr/lib/postfix nor {UNPACKED} is there; scripts/test fetches it")


def _privileged():
    """What stands before a command that must run as root, as Postfix must."""
    if os.geteuid() == 0:
        return []
    allowed = ["sudo", "-n", "true"]
    if not shutil.which("sudo") or subprocess.run(allowed, capture_output=True, check=False).returncode:
        raise AssertionError("Postfix starts only as root: run this test as root, or let sudo ask for no password")
    return ["sudo", "-n"]


def _free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Postfix:
    """Hands everything to the SMTP server at `relayhost`, a port of 127.0.0.1. `main` and `master` are further
    lines of main.cf and master.cf."""

    def __init__(self, relayhost, main="", master=""):
        self._prefix = _binaries()
        self._root = _privileged()
        self._process = None
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="postfix-", dir="/tmp"))
        self.directory.chmod(0o755)
        self.port = _free_port()
        self.url = f"smtp://127.0.0.1:{self.port}"
        try:
            self._write(relayhost, main, master)
            self._make_queue()
            self._start()
        except BaseException:
            self.close()
            raise

    def _environment(self):
        return {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": str(self._prefix / "usr/lib/postfix")}

    def _as_root(self, *command):
        done = subprocess.run([*self._root, *map(str, command)], capture_output=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr.decode()}"
        return done.stdout.decode(errors="replace")

    def _write(self, relayhost, main, master):
        usr = self._prefix / "usr"
        (self.directory / "main.cf").write_text(
            "compatibility_level = 3.6\n"
            f"queue_directory = {self.directory}/queue\n"
            f"data_directory = {self.directory}/data\n"
            f"daemon_directory = {usr}/lib/postfix/sbin\n"
            f"command_directory = {usr}/sbin\n"
            f"meta_directory = {self.directory}\n"
            f"maillog_file = {self.directory}/queue/pid/log\n"
            f"maillog_file_prefixes = {self.directory}\n"
            f"import_environment = MAIL_CONFIG={self.directory} LD_LIBRARY_PATH={usr}/lib/postfix LANG=C\n"
            f"mail_owner = {OWNER}\nsetgid_group = {GROUP}\ndefault_privs = {NOBODY}\n"
            "inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n"
            "myhostname = relay.example\nmydestination =\nalias_maps =\nlocal_recipient_maps =\n"
            "mynetworks = 127.0.0.1\nsmtpd_relay_restrictions = permit_mynetworks, reject\n"
            "smtpd_peername_lookup = no\nsmtp_dns_support_level = disabled\n"
            f"relayhost = [127.0.0.1]:{relayhost}\n" + main
        )
        (self.directory / "master.cf").write_text(_MASTER.format(port=self.port) + master)

    def _make_queue(self):
        # As a shell script, so that sudo is needed once.
        queue = self.directory / "queue"
        commands = [f"install -d -m 0755 -o root -g root {queue}",
                    f"install -d -m 0700 -o {OWNER} -g root {self.directory}/data"]
        commands += [f"install -d -m {mode} -o {owner} -g {group} {queue}/{name}"
                     for name, (mode, owner, group) in _QUEUE.items()]
        # Postfix believes only a configuration that is root's.
        commands.append(f"chown root:root {self.directory}/main.cf {self.directory}/master.cf {self.directory}")
        self._as_root("sh", "-ec", "\n".join(commands))

    def _start(self):
        # The shell tells its process id and becomes the master process: under sudo the one that was started
        # here is another.
        master = self._prefix / "usr/lib/postfix/sbin/master"
        environment = [f"{name}={value}" for name, value in self._environment().items()]
        script = 'echo $$; exec "$@"'
        self._process = subprocess.Popen(
            [*self._root, "env", "-i", *environment, "setsid", "--wait", "sh", "-c", script, "sh", str(master),
             "-c", str(self.directory), "-d"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        self._master = int(self._process.stdout.readline())
        wait_until(self._answers, lambda: f"Postfix does not start:\n{self.log()}", 30)

    def _answers(self):
        code = self._process.poll()
        assert code is None, f"Postfix ended with {code}:\n{self._process.stdout.read().decode()}\n{self.log()}"
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.settimeout(5)
                return connection.recv(3) == b"220"
        except OSError:
            return False

    def log(self):
        file = self.directory / "queue/pid/log"
        return self._as_root("cat", file) if file.exists() else ""

    def deliveries(self, address):
        """What the log says of each attempt to deliver to this address: (service, status and reason)."""
        pattern = rf"(?m)^.* (postfix\S*)\[\d+\]: [^ ]+: to=<{re.escape(address)}>,.* status=(.*)$"
        return re.findall(pattern, self.log())

    def close(self):
        """Stops what runs and removes the directory."""
        if self._process is not None:
            if self._process.poll() is None:
                self._as_root("kill", "-TERM", self._master)
                try:
                    self._process.wait(20)
                except subprocess.TimeoutExpired:
                    self._as_root("kill", "-KILL", "--", f"-{self._master}")
                    self._process.wait(20)
            self._process.stdout.close()
            self._process = None
        for _ in range(5):  # a daemon of Postfix that ends may still write
            if not self.directory.exists():
                return
            try:
                self._as_root("rm", "-rf", self.directory)
            except AssertionError:
                time.sleep(0.1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        print(f"--- the end of Postfix's log\n{self.log()[-8000:]}")
        self.close()
