"""Rewriting the lines of a block scalar."""

import re

from pilotage.edit.refused import EditRefused

_HEADER = re.compile(
    r"(?P<sign>[|>])(?P<chomp>[-+]?)(?P<rest>[ \t]*(?:#[^\r\n]*)?)(?P<break>\r\n|\r|\n)"
)
_LINE_BREAK = re.compile(r"[\r\n]")
_INDENT = re.compile(r"(?:[ \t]*(?:\r\n|\r|\n))*( +)")


def rewrite_block(source: str, value: str) -> str:
    """`source`, a whole block scalar from its `|` or `>` on, with lines that mean `value`.

    The header's comment, the indentation, the kind of line breaks and the blank lines at the end
    are kept; how the last line break counts (`-`, `+` or neither) follows the value. Raises
    EditRefused for a value that such lines cannot hold.
    """
    header = _HEADER.match(source)
    indent = _INDENT.match(source, header.end()) if header else None
    if header is None or indent is None:
        raise EditRefused("a block scalar that is empty or gives its indentation is not edited")
    core = value.rstrip("\n")
    breaks = len(value) - len(core)
    if not core or core[0] in " \t\n":
        raise EditRefused("a block scalar cannot begin with a space or an empty line, or be empty")
    if header["sign"] == ">" and "\n" in core:
        raise EditRefused("a folded block scalar (>) can only be given a single line")
    newline = header["break"]
    tail = _LINE_BREAK.search(source, len(source.rstrip(" \t\r\n")))
    last_lines = source[tail.start() :] if tail else ""
    chomp = "-" if breaks == 0 else "" if breaks == 1 else "+"
    if breaks > 1:
        last_lines = newline * breaks
    elif not last_lines.strip(" \t"):
        # The text ends without a line break: there is none to chomp.
        chomp = header["chomp"] if breaks == 0 else chomp
        last_lines = newline if breaks else ""
    elif header["chomp"] == "+" and breaks == 1 and last_lines.count("\n") <= 1:
        chomp = "+"
    lines = [indent[1] + line if line else "" for line in core.split("\n")]
    return f"{header['sign']}{chomp}{header['rest']}{newline}{newline.join(lines)}{last_lines}"
