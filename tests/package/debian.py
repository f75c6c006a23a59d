"""A Debian 12 of its own folder, in which packages are installed and the daemon runs as its unit says."""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BASE = ROOT / "build" / "peers" / "debian"
ARCHIVES = ROOT / "build" / "peers" / "debian-archives"
AS_SERVICE = ROOT / "tests" / "e2e" / "as_service.py"
SOCKET = "run/rapporteur/tlsrpt.sock"

# What a command of the chroot sees of the machine.
_ENTER = """
mount --make-rprivate /
mount -t proc proc "$0/proc"
mount --bind "$1" "$0/var/cache/apt/archives"
root=$0
shift
exec chroot "$root" "$@"
"""


class Debian:
    """Removed when it is closed."""

    def __init__(self):
        ARCHIVES.mkdir(parents=True, exist_ok=True)
        (ARCHIVES / "partial").mkdir(exist_ok=True)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="rapporteur-debian-", dir=ROOT / "build" / "peers"))
        self.folder.chmod(0o755)
        subprocess.run(["cp", "-a", "--reflink=auto", f"{BASE}/.", self.folder], check=True)
        self.service = None

    def path(self, inside):
        return self.folder / inside.lstrip("/")

    def run(self, *command, code=0, user=None):
        """A command to its end, as root or as another user; what it printed."""
        if user:
            command = ("runuser", "-u", user, "--", *command)
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-euc", _ENTER, self.folder, ARCHIVES, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"},
            timeout=600,
            check=False,
        )
        said = done.stdout.decode(errors="replace")
        assert code is None or done.returncode == code, f"{command}: exit code {done.returncode}, not {code}\n{said}"
        return said

    def install(self, *packages):
        """Packages of Debian by name, or files."""
        names = []
        for package in packages:
            if isinstance(package, pathlib.Path):
                shutil.copy(package, self.path("/var/tmp"))
                package = f"/var/tmp/{package.name}"
            names.append(package)
        return self.run("apt-get", "-qq", "install", "-y", *names)

    def owner(self, inside):
        """"root:rapporteur 2750" """
        return self.run("stat", "--format=%U:%G %a", inside).strip()

    def start(self):
        self.service = Service(self)
        return self.service

    def close(self):
        if self.service is not None:
            if self.service.process.poll() is None:
                self.service.process.kill()
                self.service.process.wait()
            self.service.log_path.unlink(missing_ok=True)
        shutil.rmtree(self.folder)


class Service:
    """What systemd makes of rapporteur.socket and rapporteur.service."""

    def __init__(self, debian):
        self.debian = debian
        self.log_path = debian.folder.parent / (debian.folder.name + ".log")
        self._listener = self._bind(SOCKET, 0o660)
        debian.run("chown", "rapporteur:rapporteur-mta", "/" + SOCKET)
        self._notified = self._bind("run/rapporteur/notify", 0o666)
        self._notified.settimeout(60)
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, AS_SERVICE, "--root", debian.folder, "/usr/bin/rapporteur", "run"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "NOTIFY_SOCKET": "/run/rapporteur/notify", "LISTEN_FDS": "1"},
                preexec_fn=lambda: os.dup2(self._listener.fileno(), 3),
                pass_fds=(3,),
            )

    def _bind(self, inside, mode):
        path = self.debian.path(inside)
        path.unlink(missing_ok=True)
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        folder = os.open(path.parent, os.O_PATH)
        bound.bind(f"/proc/self/fd/{folder}/{path.name}")  # the whole path may be too long for a socket
        os.close(folder)
        path.chmod(mode)
        return bound

    def told(self):
        """The next thing that systemd is told."""
        try:
            return self._notified.recv(4096).decode()
        except TimeoutError as error:
            raise AssertionError(f"nothing was told; the daemon said:\n{self.log()}") from error

    def log(self):
        return self.log_path.read_text(errors="replace")

    def stop(self):
        self.process.terminate()
        code = self.process.wait(60)
        self._listener.close()
        self._notified.close()
        said = self.log()
        self.log_path.unlink()
        assert code == 0, said
        return said
