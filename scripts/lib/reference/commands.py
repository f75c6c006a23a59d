"""The program's commands, as `--help` tells them."""

import dataclasses
import re
import subprocess

_GLOBAL = "Everywhere"
_POSITIONALS = "Positionals"
_EXAMPLE = "Example"
_HEADING = re.compile(r"^([A-Z][A-Za-z ]*):$")
_ENTRY = re.compile(r"^  (\S.*?)(?:  +(.*))?$")


@dataclasses.dataclass
class Entry:
    """A line of the help: an option with its value's name, a positional argument or a command."""

    name: str
    help: str

    @property
    def flags(self):
        """["-h", "--help"] of "-h,--help"."""
        return self.name.split()[0].split(",")

    @property
    def value(self):
        """"FILE" of "--config FILE"; empty if it takes none."""
        words = self.name.split()
        return words[1] if len(words) > 1 else ""


@dataclasses.dataclass
class Command:
    path: tuple  # of names, without the program's own
    help: str = ""
    usage: str = ""
    arguments: list = dataclasses.field(default_factory=list)
    options: list = dataclasses.field(default_factory=list)
    common: list = dataclasses.field(default_factory=list)  # options that every command has
    groups: dict = dataclasses.field(default_factory=dict)  # of commands, by heading
    example: str = ""
    commands: list = dataclasses.field(default_factory=list)

    @property
    def name(self):
        return self.path[-1] if self.path else "rapporteur"

    @property
    def words(self):
        """As it is typed."""
        return " ".join(("rapporteur", *self.path))

    def walk(self):
        """This one and all below it."""
        yield self
        for command in self.commands:
            yield from command.walk()


def _sections(lines):
    """The lines below each heading, and those of the first paragraph under None."""
    found = {None: []}
    heading = None
    for line in lines:
        match = _HEADING.match(line)
        if match:
            heading = match.group(1)
            found[heading] = []
        elif line.strip():
            found[heading].append(line)
    return found


def _entries(lines):
    entries = []
    for line in lines:
        match = _ENTRY.match(line)
        if match and not line.startswith("   "):
            entries.append(Entry(match.group(1), match.group(2) or ""))
        elif entries:  # the text of a name that is too long for its column
            entries[-1].help = (entries[-1].help + " " + line.strip()).strip()
    return entries


def parse(path, text):
    """A command of the text of its help, without the commands below it."""
    sections = _sections(text.splitlines())
    command = Command(path)
    head = sections.pop(None)
    command.help = head[0]
    command.usage = next((line for line in head if line.startswith("Usage: ")), "").removeprefix("Usage: ")
    if not command.usage:
        raise ValueError(f"the help of '{command.words}' has no line of usage")
    for heading, lines in sections.items():
        if heading == _EXAMPLE:
            command.example = lines[0].strip()
        elif heading == _POSITIONALS:
            command.arguments = _entries(lines)
        elif heading == _GLOBAL:
            command.common = _entries(lines)
        elif any(line.startswith("  -") for line in lines):
            command.options += _entries(lines)
        else:
            # Behind the last group the top of the help has a text that is not indented.
            command.groups[heading] = _entries([line for line in lines if line.startswith("  ")])
    return command


def read_command(binary, path=()):
    """The command `path` of the program, and all below it."""
    done = subprocess.run([binary, *path, "--help"], capture_output=True, check=True, timeout=60)
    command = parse(tuple(path), done.stdout.decode())
    command.commands = [
        read_command(binary, (*path, entry.name)) for entries in command.groups.values() for entry in entries
    ]
    return command
