"""Completions for bash, zsh and fish, of the program's commands and options."""

# What an option can be given, by the first word of the command (empty: any) and the option. tests/e2e/test_reference.py
# gives each of them to the program.
_WINDOW_STATES = ("collecting", "due", "assembled", "done", "blocked", "held", "suppressed")
_DELIVERY_STATES = ("pending", "delivered", "bounced", "failed", "suppressed", "abandoned", "uncertain")
WORDS = {
    ("run", "--role"): ("ingest", "schedule", "all"),
    ("ingest", "--format"): ("auto", "tlsrpt", "momentum", "halon", "native", "sys4"),
    ("schedule", "--state"): _WINDOW_STATES,
    ("delivery", "--state"): _DELIVERY_STATES,
    ("report", "--as"): ("json", "eml"),
    ("dkim", "--type"): ("rsa", "ed25519"),
    ("dkim", "--service"): ("tlsrpt",),
}
FILE = "FILE"

_NOTE = "Written by scripts/reference from the program's own help."


def words_of(command, option):
    """The words that an option can be given; empty: anything, or nothing."""
    return WORDS.get((command.path[0] if command.path else "", option.flags[-1]), ())


def _takes_files(command):
    return any(argument.name.startswith(FILE) for argument in command.arguments)


def _options(command):
    return command.options + command.common


def _quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def _bash_case(command):
    flags = [flag for option in _options(command) for flag in option.flags]
    names = [below.name for below in command.commands]
    lines = [f"    {_quoted(' '.join(command.path))})", f"      options={_quoted(' '.join(flags))}"]
    if names:
        lines.append(f"      commands={_quoted(' '.join(names))}")
    if _takes_files(command):
        lines.append("      files=yes")
    lines.append("      case $previous in")
    for option in _options(command):
        if not option.value:
            continue
        words = words_of(command, option)
        action = f"values={_quoted(' '.join(words))}" if words else "files=yes" if option.value == FILE else ""
        lines.append(f"        {'|'.join(option.flags)}) awaited=yes{'; ' + action if action else ''} ;;")
    return lines + ["      esac", "      ;;"]


def _valued_flags(top):
    options = [option for command in top.walk() for option in _options(command) if option.value]
    return sorted({flag for option in options for flag in option.flags})


def bash(top):
    paths = " ".join(_quoted(" ".join(command.path)) for command in top.walk() if command.path)
    lines = [
        "# shellcheck shell=bash",
        f"# Completion of rapporteur for bash. {_NOTE}",
        "",
        "# Sets `path`: the command that was typed before the cursor, without options and arguments.",
        "_rapporteur_path() {",
        "  local index word known candidate",
        f"  known=({paths})",
        "  path=",
        "  for ((index = 1; index < COMP_CWORD; index++)); do",
        "    word=${COMP_WORDS[index]}",
        "    case $word in",
        f"      {'|'.join(_valued_flags(top))}) ((index++)) && continue ;;",
        "      -*) continue ;;",
        "    esac",
        "    for candidate in \"${known[@]}\"; do",
        "      if [[ $candidate == \"${path:+$path }$word\" ]]; then path=$candidate && break; fi",
        "    done",
        "  done",
        "}",
        "",
        "_rapporteur() {",
        "  local path current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}",
        "  local options='' commands='' values='' files='' awaited=''",
        "  _rapporteur_path",
        "  case $path in",
        *(line for command in top.walk() for line in _bash_case(command)),
        "  esac",
        "  COMPREPLY=()",
        "  if [[ -n $awaited ]]; then",
        "    [[ -z $values ]] || mapfile -t COMPREPLY < <(compgen -W \"$values\" -- \"$current\")",
        "  elif [[ $current == -* ]]; then",
        "    mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$current\")",
        "  elif [[ -n $commands ]]; then",
        "    mapfile -t COMPREPLY < <(compgen -W \"$commands\" -- \"$current\")",
        "  fi",
        "  if [[ -n $files && ( -n $awaited || $current != -* ) ]]; then",
        "    compopt -o filenames 2>/dev/null",
        "    mapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY < <(compgen -f -- \"$current\")",
        "  fi",
        "}",
        "",
        "complete -F _rapporteur rapporteur",
    ]
    return "\n".join(lines) + "\n"


def _zsh_text(text):
    """For inside of the brackets of _arguments."""
    for special in ("\\", "[", "]", ":"):
        text = text.replace(special, "\\" + special)
    return text.replace("'", "'\\''")


def _zsh_option(command, option):
    words = words_of(command, option)
    value = ""
    if option.value:
        action = f"({' '.join(words)})" if words else "_files" if option.value == FILE else ""
        value = f":{option.value.lower()}:{action}"
    return [f"    '*{flag}[{_zsh_text(option.help)}]{value}'" for flag in option.flags]


def _zsh_function(command):
    name = "_" + "_".join(("rapporteur", *command.path)).replace("-", "_")
    specs = [spec for option in _options(command) for spec in _zsh_option(command, option)]
    lines = [f"{name}() {{"]
    if command.commands:
        lines += ["  local context state state_descr line", "  typeset -A opt_args", "  local -a commands"]
        specs += ["    '1:command:->command'", "    '*::argument:->argument'"]
    else:
        specs += [f"    '*:{argument.name.lower()}:{'_files' if argument.name.startswith(FILE) else ''}'"
                  for argument in command.arguments[:1]]
    flag = " -C" if command.commands else ""
    lines += [f"  _arguments{flag} \\", " \\\n".join(specs)]
    if command.commands:
        lines += ["  case $state in", "    command)", "      commands=("]
        lines += [f"        '{below.name}:{_zsh_text(below.help)}'" for below in command.commands]
        lines += ["      )", "      _describe command commands", "      ;;", "    argument)", "      case $line[1] in"]
        for below in command.commands:
            lines.append(f"        {below.name}) _{'_'.join(('rapporteur', *below.path)).replace('-', '_')} ;;")
        lines += ["      esac", "      ;;", "  esac"]
    return lines + ["}", ""]


def zsh(top):
    lines = ["#compdef rapporteur", f"# Completion of rapporteur for zsh. {_NOTE}", ""]
    for command in top.walk():
        lines += _zsh_function(command)
    return "\n".join([*lines, '_rapporteur "$@"']) + "\n"


def _fish_option(command, option):
    where = " ".join(command.path)
    parts = [f"complete -c rapporteur -n '__rapporteur_at \"{where}\"'"]
    for flag in option.flags:
        parts.append(f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}")
    if option.value:
        words = words_of(command, option)
        parts.append("-r -F" if option.value == FILE else f"-x -a '{' '.join(words)}'" if words else "-x")
    return " ".join([*parts, "-d", _fish_text(option.help)])


def _fish_text(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def fish(top):
    paths = " ".join(_quoted(" ".join(command.path)) for command in top.walk() if command.path)
    lines = [
        f"# Completion of rapporteur for fish. {_NOTE}",
        "",
        "# Whether this is the command that was typed before the cursor, without options and arguments.",
        "function __rapporteur_at",
        f"    set -l known {paths}",
        f"    set -l valued {' '.join(_valued_flags(top))}",
        "    set -l path",
        "    set -l skip",
        "    for word in (commandline -opc)[2..-1]",
        "        if test -n \"$skip\"",
        "            set skip",
        "        else if contains -- $word $valued",
        "            set skip yes",
        "        else if not string match -q -- '-*' $word",
        "            set -l longer (string trim \"$path $word\")",
        "            contains -- $longer $known; and set path $longer",
        "        end",
        "    end",
        "    test \"$path\" = \"$argv[1]\"",
        "end",
        "",
        "complete -c rapporteur -f",
    ]
    for command in top.walk():
        here = f"complete -c rapporteur -n '__rapporteur_at \"{' '.join(command.path)}\"'"
        lines += [f"{here} -a {below.name} -d {_fish_text(below.help)}" for below in command.commands]
        if _takes_files(command):
            lines.append(f"{here} -F")
        lines += [_fish_option(command, option) for option in _options(command)]
    return "\n".join(lines) + "\n"


def scripts(top):
    """Text by name of the file."""
    return {"rapporteur.bash": bash(top), "_rapporteur": zsh(top), "rapporteur.fish": fish(top)}
