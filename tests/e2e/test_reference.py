"""Manual pages and completions say what the program says about itself."""

import functools
import re
import shutil
import subprocess
import sys

import pytest
from peers.rapporteur import BINARY, ROOT, USAGE

from reference_tree import completions, read_command

MAN = ROOT / "docs" / "man"
COMPLETIONS = ROOT / "packaging" / "completions"

# Each prints what the lines behind its first argument are completed to, and "===" behind each.
BASH = """
source "$1"
shift
for line; do
  IFS=' ' read -r -a COMP_WORDS <<<"$line"
  [[ $line != *' ' ]] || COMP_WORDS+=('')
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  _rapporteur
  printf '%s\\n' "${COMPREPLY[@]}" ===
done
"""

FISH = """
source $argv[1]
for line in $argv[2..-1]
    complete -C $line | string replace -r '\\t.*' ''
    echo ===
end
"""

# zsh completes only where somebody types: a shell inside of a pseudo-terminal, in which Tab lists what there is.
ZSH = """
zmodload zsh/zpty
zpty shell zsh -f -i
line() { zpty -w shell "$1" }
await() { local chunk seen=; while zpty -r shell chunk; do seen+=$chunk; [[ $seen == *$1* ]] && break; done; answer=$seen }
line "PS1=; unset zle_bracketed_paste; fpath=($1 \\$fpath); autoload -Uz compinit; compinit -u -D; stty columns 4000"
line "compadd() { [[ \\${@[1,(i)(-|--)]} == *-(O|A|D)* ]] && { builtin compadd \\$@; return }; typeset -a hits; builtin compadd -A hits \\$@; builtin print -rl -- HIT:\\$^hits }"
line "zle -C listing complete-word _generic; list_all() { zle listing; builtin print END; zle kill-whole-line }; zle -N list_all; bindkey '^I' list_all"
line "builtin print BEG''IN"
await BEGIN
shift
for typed; do
  zpty -w -n shell "$typed"$'\\t'
  await END
  print -r -- $answer
  print -r -- '==='
done
zpty -d shell
"""


@functools.lru_cache(maxsize=1)
def tree():
    return read_command(BINARY)


@pytest.fixture
def top(binary):
    return tree()


def test_they_are_what_is_written_from_the_program(binary):
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "reference", "--check", binary], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + "Run scripts/reference BINARY"


def test_a_page_that_differs_is_named(tmp_path, binary):
    copy = tmp_path / "copy"
    for folder in ("scripts", "docs", "packaging"):
        shutil.copytree(ROOT / folder, copy / folder)
    page = copy / "docs" / "man" / "rapporteur-stats.1"
    page.write_text(page.read_text().replace("nodes", "knots"))
    command = [sys.executable, copy / "scripts" / "reference"]
    done = subprocess.run([*command, "--check", binary], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "docs/man/rapporteur-stats.1 is not what scripts/reference writes\n")
    subprocess.run([*command, binary], check=True, capture_output=True)
    assert page.read_text() == (MAN / "rapporteur-stats.1").read_text()


def shown(page):
    """A page as a reader sees it, without what breaks its lines."""
    done = subprocess.run(
        ["man", "--warnings", "--encoding=UTF-8", "--local-file", page],
        capture_output=True, text=True, check=True,
        env={"PATH": "/usr/bin:/bin", "MANWIDTH": "500", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": ""},
    )
    assert done.stderr == "", f"{page}: {done.stderr}"
    return re.sub(r"\s+", " ", re.sub(r".\x08", "", done.stdout))


def test_a_reader_finds_every_command_and_option(top):
    for command in top.commands:
        text = shown(MAN / f"rapporteur-{command.name}.1")
        for each in command.walk():
            assert each.words in text
            for entry in each.options + each.common:
                assert f"{', '.join(entry.flags)}{' ' + entry.value if entry.value else ''} {entry.help}" in text, entry
    text = shown(MAN / "rapporteur.1")
    assert all(f"rapporteur-{command.name}(1) {command.help}" in text for command in top.commands)


def test_a_reader_finds_every_key_of_the_configuration(bare):
    text = shown(MAN / "rapporteur.toml.5")
    installed = (ROOT / "config" / "rapporteur.toml").read_text(encoding="utf-8")
    keys = re.findall(r"^#?([A-Za-z]+) = ", installed, re.M)
    assert len(keys) > 60
    for key in keys:
        assert re.search(rf" {key} ", text), key


def answers(command, lines, word=r"\S+"):
    """The words that a shell offers for each line."""
    done = subprocess.run([*command, *lines], capture_output=True, text=True, check=True, timeout=300)
    assert done.stderr == ""
    texts = done.stdout.split("===")[:-1]
    assert len(texts) == len(lines), done.stdout
    return [set(re.findall(word, text)) for text in texts]


def completed_by_bash(*lines):
    return answers(["bash", "-c", BASH, "bash", COMPLETIONS / "rapporteur.bash"], lines)


def completed_by_fish(*lines):
    return answers(["fish", "--no-config", "-c", FISH, COMPLETIONS / "rapporteur.fish"], lines)


def completed_by_zsh(*lines):
    return answers(["zsh", "-f", "-c", ZSH, "zsh", COMPLETIONS], lines, r"(?<=HIT:)\S+")


SHELLS = {"bash": completed_by_bash, "fish": completed_by_fish, "zsh": completed_by_zsh}


@pytest.fixture(params=SHELLS)
def completed(request):
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return SHELLS[request.param]


def test_shells_complete_every_command(top, completed):
    groups = [command for command in top.walk() if command.commands]
    for command, found in zip(groups, completed(*(command.words + " " for command in groups))):
        assert {below.name for below in command.commands} <= found, command.words


def test_shells_complete_every_option(top, completed):
    every = list(top.walk())
    for command, found in zip(every, completed(*(command.words + " --" for command in every))):
        wanted = {flag for option in command.options + command.common for flag in option.flags if flag.startswith("--")}
        assert {word for word in found if word.startswith("--")} == wanted, command.words


def test_shells_complete_behind_options_and_their_values(completed):
    assert completed(
        "rapporteur --config /tmp/x --json schedule e",
        "rapporteur --config schedule schedule list --state d",
        "rapporteur delivery list --state b",
        "rapporteur ingest --format h",
    ) == [{"explain"}, {"due", "done"}, {"bounced"}, {"halon"}]


def test_words_that_are_completed_are_those_that_the_program_knows(bare, top):
    tried = 0
    for command in top.walk():
        required = ["x.example" for _ in command.arguments]
        for option in command.options:
            for word in (*completions.words_of(command, option), "invented"):
                if not completions.words_of(command, option) or command.path == ("run",):
                    continue
                done = bare.run(*command.path, option.flags[-1], word, *required, code=None)
                refused = done.returncode == USAGE and word in done.stderr
                assert refused == (word == "invented"), f"{command.words} {option.name} {word}: {done.stderr}"
                tried += 1
    assert tried > 40
