"""Markdown, as the documents of this project use it, to roff with the macros of man(7)."""

import re

_INLINE = re.compile(r"(``.+?``|`[^`]+`|\*\*.+?\*\*|\[[^\]]+\]\([^)]*\))")
_CELL = re.compile(r"(?<!\\)\|")


def plain(text):
    """Text for a line of roff that is not one of its requests."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...")
    text = text.replace("'", "\\(aq").replace("`", "\\(ga").replace("^", "\\(ha").replace("~", "\\(ti")
    return "\\&" + text if text.startswith(".") else text


def bold(text):
    return f"\\fB{plain(text)}\\fR"


def inline(text):
    """A line with code, strong words and links; hyphens of words stay hyphens."""
    out = []
    for piece in _INLINE.split(text.replace("\\|", "|").replace("\\[", "[").replace("\\]", "]")):
        if piece.startswith("``"):
            out.append(bold(piece[2:-2].strip()))
        elif piece.startswith("`"):
            out.append(bold(piece[1:-1]))
        elif piece.startswith("**"):
            out.append(bold(piece[2:-2]))
        elif piece.startswith("["):
            label = re.match(r"\[([^\]]+)\]", piece).group(1)
            out.append(inline(label))
        else:
            out.append(piece.replace("\\", "\\e").replace("…", "...").replace("'", "\\(aq"))
    joined = "".join(out)
    return "\\&" + joined if joined.startswith((".", "'")) else joined


def heading(title):
    """In capitals, as manual pages have it; names of tables of the configuration stay as they are written."""
    return f".SH {quoted(title if title.startswith('[') else title.upper())}"


def subheading(title):
    return f".SS {quoted(title)}"


def quoted(text):
    return '"' + plain(text).replace('"', '\\(dq') + '"'


def example(lines):
    return [".PP", ".RS 4", ".nf", *(plain(line) for line in lines), ".fi", ".RE"]


def definition(term, texts):
    """A term in a form that roff knows, and paragraphs about it."""
    out = [".TP", term]
    for index, text in enumerate(texts):
        if index:
            out.append(".br")
        out.append(text or "\\&")
    return out


def _cells(line):
    return [cell.strip() for cell in _CELL.split(line.strip().strip("|"))]


def _table(lines):
    """Rows as terms; what the columns behind the second say is led by their names."""
    head, *rows = [_cells(line) for line in lines if not re.match(r"^\|[-| :]+\|$", line)]
    out = []
    for row in rows:
        said = [f"{name}: {inline(cell)}" if len(head) > 2 and name != "meaning" else inline(cell)
                for name, cell in zip(head[1:], row[1:]) if cell]
        if "meaning" in head:
            said = said[-1:] + said[:-1]
        out += definition(inline(row[0]), said)
    return out


class _Blocks:
    """Collects the lines of one paragraph until it ends."""

    def __init__(self):
        self.out = []
        self.waiting = []

    def end(self):
        if not self.waiting:
            return
        first = self.waiting[0]
        if first.startswith("|"):
            self.out += _table(self.waiting)
        elif first.startswith("- "):
            self.out += self._items()
        else:
            self.out += [".PP", *self._sentences(self.waiting)]
        self.waiting = []

    def _items(self):
        items = []
        for line in self.waiting:
            if line.startswith("- "):
                items.append([line[2:]])
            else:
                items[-1].append(line.strip())
        return [part for item in items for part in (".IP \\(bu 2", *self._sentences(item))]

    @staticmethod
    def _sentences(lines):
        # Code may go over the end of a line.
        return [inline(" ".join(line.strip() for line in lines))]


def body(text, demote=0):
    """The lines of roff for Markdown without its first heading. `demote` 1: `##` is a subsection."""
    blocks = _Blocks()
    code = None
    for line in text.splitlines():
        if line.startswith("```"):
            blocks.end()
            if code is not None:
                blocks.out += example(code)
            code = [] if code is None else None
        elif code is not None:
            code.append(line)
        elif line.startswith("#"):
            blocks.end()
            level = len(line) - len(line.lstrip("#")) + demote
            title = line.lstrip("#").strip().replace("\\", "").replace("`", "")
            blocks.out.append(heading(title) if level <= 2 else subheading(title))
        elif not line.strip():
            blocks.end()
        else:
            if blocks.waiting and line.startswith(("- ", "|")) and not blocks.waiting[0].startswith(line[0]):
                blocks.end()
            blocks.waiting.append(line)
    blocks.end()
    return blocks.out
