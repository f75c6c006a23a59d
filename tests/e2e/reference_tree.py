"""The commands of the program as scripts/reference reads them."""

import sys

from peers.rapporteur import ROOT

sys.path.insert(0, str(ROOT / "scripts" / "lib"))

from reference import completions  # noqa: E402
from reference.commands import read_command  # noqa: E402

__all__ = ["completions", "read_command"]
