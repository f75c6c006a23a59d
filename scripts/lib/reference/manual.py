"""The manual pages: rapporteur(1), one page for each command at the top, and rapporteur.toml(5)."""

from . import roff

_EXIT_CODES = """
| code | meaning |
|---|---|
| `0` | done |
| `1` | failed: one line on standard error says why; with `--json` also `{"error": "..."}` on standard output |
| `2` | usage: an unknown option, or a value that cannot be read |
| `3` | not found: no such window, report, part or delivery |
| `78` | the configuration has errors, which are printed, or its store cannot be opened |
"""

_FILES = """
| file | meaning |
|---|---|
| `/etc/rapporteur/rapporteur.toml` | the configuration, unless `--config` or `$RAPPORTEUR_CONFIG` names another |
| `/run/rapporteur/tlsrpt.sock` | the socket to which MTAs write |
| `/var/lib/rapporteur/rapporteur.db` | the store |
"""


def _head(name, section, description):
    return [
        ".\\\" Written by scripts/reference: change docs/man/*.md, docs/configuration.md or the program's help.",
        f".TH {roff.quoted(name)} {section} \"\" \"Rapporteur\" \"Rapporteur manual\"",
        roff.heading("name"),
        f"{roff.plain(name)} \\- {roff.inline(description)}",
    ]


def _page(lines):
    return "\n".join(lines) + "\n"


def _prose(folder, name):
    """What stands before the first heading of a page's text, and the rest."""
    path = folder / "man" / f"{name}.md"
    if not path.exists():
        return [], []
    before, mark, after = path.read_text(encoding="utf-8").partition("\n## ")
    return roff.body(before), roff.body("## " + after) if mark else []


def _option(entry):
    flags = ", ".join(roff.bold(flag) for flag in entry.flags)
    return flags + (f" \\fI{roff.plain(entry.value)}\\fR" if entry.value else "")


def _synopsis_line(command):
    words = [roff.bold(command.words)]
    if command.options:
        words.append("[\\fIoption\\fR...]")
    # The usage knows which arguments may be left out or repeated.
    for word in command.usage.split()[len(command.path) + 1:]:
        if word in ("[OPTIONS]", "SUBCOMMAND", "[SUBCOMMAND]"):
            continue
        words.append(roff.inline(word.replace("...", "")) + ("..." if word.endswith("...") else ""))
    return [".br", " ".join(words)]


def _runs(command):
    """Whether it does something by itself, and not only below it."""
    return not command.commands or "[SUBCOMMAND]" in command.usage


def _terms(entries, show):
    return [line for entry in entries for line in roff.definition(show(entry), [roff.inline(entry.help)])]


def _details(command):
    """Arguments and options of one command."""
    arguments = _terms(command.arguments, lambda entry: f"\\fI{roff.plain(entry.name)}\\fR")
    return arguments + _terms(command.options, _option)


def _command_page(command, folder, others):
    name = "rapporteur-" + command.name
    lines = _head(name, 1, command.help)
    lines.append(roff.heading("synopsis"))
    lines += [line for each in command.walk() if _runs(each) for line in _synopsis_line(each)][1:]
    description, rest = _prose(folder, name)
    lines += [roff.heading("description"), *description] if description else []
    if command.arguments or command.options:
        lines += [roff.heading("options"), *_details(command)]
    if command.commands:
        lines.append(roff.heading("commands"))
        for each in list(command.walk())[1:]:
            lines += [roff.subheading(" ".join(each.path)), roff.inline(each.help) + ".", *_details(each)]
    lines += [roff.heading("common options"), *_terms(command.common, _option), *rest]
    examples = [each.example for each in command.walk() if each.example]
    if examples:
        lines += [roff.heading("examples"), *roff.example(examples)]
    lines += [roff.heading("exit status"), *roff.body(_EXIT_CODES)]
    lines += [roff.heading("see also"), _see_also(["rapporteur"] + others, name)]
    return _page(lines)


def _see_also(names, without):
    pages = [f"{roff.bold(name)}(1)" for name in names if name != without]
    return ", ".join([*pages, f"{roff.bold('rapporteur.toml')}(5)"])


def _top_page(top, folder, names):
    description, rest = _prose(folder, "rapporteur")
    lines = _head("rapporteur", 1, "TLS report (TLSRPT, RFC 8460) scheduler for mail servers")
    lines.append(roff.heading("synopsis"))
    lines.append(f"{roff.bold('rapporteur')} [\\fIoption\\fR...] \\fIcommand\\fR [\\fIargument\\fR...]")
    lines += [roff.heading("description"), roff.inline(top.help), *description, roff.heading("commands")]
    for heading, entries in top.groups.items():
        lines.append(roff.subheading(heading))
        lines += _terms(entries, lambda entry: f"{roff.bold('rapporteur-' + entry.name)}(1)")
    lines += [roff.heading("common options"), *_terms(top.common, _option), *rest]
    lines += [roff.heading("exit status"), *roff.body(_EXIT_CODES), roff.heading("files"), *roff.body(_FILES)]
    lines += [roff.heading("see also"), _see_also(names, "rapporteur")]
    return _page(lines)


def _toml_page(folder, names):
    text = (folder / "configuration.md").read_text(encoding="utf-8").partition("\n")[2]
    lines = _head("rapporteur.toml", 5, "configuration of Rapporteur")
    lines += [roff.heading("description"), *roff.body(text)]
    lines += [roff.heading("see also"), _see_also(["rapporteur", *names], "").rpartition(", ")[0]]
    return _page(lines)


def pages(top, folder):
    """Text by name of the file. `folder`: docs."""
    names = ["rapporteur-" + command.name for command in top.commands]
    written = {"rapporteur.1": _top_page(top, folder, names), "rapporteur.toml.5": _toml_page(folder, names)}
    for command in top.commands:
        written[f"rapporteur-{command.name}.1"] = _command_page(command, folder, names)
    return written
