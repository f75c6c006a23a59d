"""The commands that the documents name are those of the program."""

import re
import shlex

import pytest
from peers.rapporteur import BINARY, ROOT

from reference_tree import read_command

PAGES = sorted([ROOT / "README.md", ROOT / "config" / "rapporteur.toml", *(ROOT / "docs").rglob("*.md")])
# A command on a line of its own, behind whoever runs it, or between backquotes.
_LINE = re.compile(r"^\s*(?:#\s+)?(?:sudo (?:-u rapporteur )?|runuser -u rapporteur -- )?(rapporteur [a-z].*)$")
_SPAN = re.compile(r"`(?:sudo (?:-u rapporteur )?|runuser -u\s+rapporteur -- )?(rapporteur\s[a-z][^`]*)`")
# What the documents put where a reader has to choose.
_CHOICE = re.compile(r"^[a-z-]+(\|[a-z-]+)+$")


def named(text):
    """The commands of a text."""
    found = []
    fenced = False
    prose = []
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced:
            match = _LINE.match(line)
            found += [match.group(1)] if match else []
        else:
            prose.append(line)
    return found + [" ".join(span.split()) for span in _SPAN.findall("\n".join(prose))]


def words_of(command):
    """Its words, up to where a shell takes over, and without what tells a reader about it."""
    text = re.split(r"\s[|>&<;]|\s{3,}|…|\[", command)[0]
    try:
        return shlex.split(text)[1:]
    except ValueError:
        return text.split()[1:]


def faults(words, top):
    """What of a command the program does not know."""
    command = top
    options = [option for each in top.walk() for option in each.options + each.common]
    valued = {flag for option in options if option.value for flag in option.flags}
    for place, word in enumerate(words):
        if not command.commands:
            break
        if place and words[place - 1] in valued:
            continue
        below = {each.name: each for each in command.commands}
        choices = word.split("|") if _CHOICE.match(word) else [word]
        if word.startswith("-") or (word.isupper() and place):
            continue
        unknown = [choice for choice in choices if choice not in below]
        if unknown:
            return [f"'{command.words}' has no command '{unknown[0]}'"]
        command = below[choices[0]]
    flags = {flag for option in command.options + command.common + top.common for flag in option.flags}
    flags |= {flag for below in command.walk() for option in below.options for flag in option.flags}
    return [f"'{command.words}' has no option '{word}'" for word in words
            if re.match(r"--[a-z]", word) and word.split("=")[0] not in flags]


@pytest.fixture(scope="module")
def top(binary):
    return read_command(BINARY)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_a_page_is_one(page, top):
    commands = named(page.read_text(encoding="utf-8"))
    found = {command: faults(words_of(command), top) for command in commands}
    assert {command: what for command, what in found.items() if what} == {}


def test_commands_are_found_and_faults_are_seen(top):
    text = (
        "Say `rapporteur schedule\nlst` or\n"
        "```\nsudo -u rapporteur rapporteur stats --knots\n  rapporteur run   be it\n```\n"
    )
    commands = named(text)
    assert commands == ["rapporteur stats --knots", "rapporteur run   be it", "rapporteur schedule lst"]
    assert [faults(words_of(command), top) for command in commands] == [
        ["'rapporteur stats' has no option '--knots'"], [], ["'rapporteur schedule' has no command 'lst'"]]
    everything = [command for page in PAGES for command in named(page.read_text(encoding="utf-8"))]
    assert len(everything) > 100


def test_every_text_of_a_page_has_its_command(top):
    texts = {path.stem.removeprefix("rapporteur-") for path in (ROOT / "docs" / "man").glob("rapporteur-*.md")}
    assert texts == {command.name for command in top.commands}
