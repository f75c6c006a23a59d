"""A PostgreSQL server of its own on a private socket: started, stopped, crashed and started again."""

import pathlib
import shutil
import subprocess
import tempfile

from .rapporteur import ROOT

SCRIPT = ROOT / "scripts" / "lib" / "postgres.sh"


class Postgres:
    """`url` names its database. Everything is gone after close()."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="rapporteur-pg-", dir="/tmp"))
        self.directory.chmod(0o755)
        self.url = self._script("start", str(self.directory)).splitlines()[-1]

    def _script(self, *arguments):
        done = subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def halt(self, mode="fast"):
        """`mode`: "fast" breaks connections off and ends cleanly, "immediate" ends as a crash does."""
        self._script("halt", str(self.directory), mode)

    def resume(self):
        self._script("resume", str(self.directory))

    def query(self, sql):
        """The rows of a statement, columns separated by '|'."""
        done = subprocess.run(["psql", "-XAtq", self.url, "-c", sql], capture_output=True, text=True, timeout=120,
                              check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def close(self):
        subprocess.run([SCRIPT, "stop", str(self.directory)], capture_output=True, timeout=60, check=False)
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
