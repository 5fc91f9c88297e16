"""Names of files and messages for people: on one line, in characters that can be printed and written."""


def printable(text: str) -> str:
    r"""Return a path or a message in characters that can be printed and written to tables, on one line.

    A byte of a file name that is not UTF-8, which Python reads as a lone surrogate, a line break, a control character
    and a mark that changes the direction of text are given as escape sequences.

    Examples
    --------
    >>> printable("training/caf\udce9 \x1b[31m.png")
    'training/caf\\xe9 \\x1b[31m.png'
    """
    return "".join(map(_printable, text))


def _printable(character: str) -> str:
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
