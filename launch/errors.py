"""What can stop a launch, each in one plain line that says what to do."""

import re

# What programs write before a fault: the levels of PostgreSQL, Rust and Python, and the names of exceptions.
NAMES_AN_ERROR = re.compile(
    r"\b(?:ERROR|CRITICAL|FATAL|PANIC)\b|\b[Ee]rror:|^[\w.]*(?:Error|Exception)\b(?::|$)|panicked at"
)
TRACEBACK = "Traceback (most recent call last):"


class CannotLaunchError(Exception):
    """Say in one line what is wrong and what to do; the command line prints it and exits 1."""


def telling_line(text: str) -> str:
    r"""Return the last line of a log that names an error, the last one that says something without any.

    Example:
        >>> telling_line("FATAL: no such role\nshutting down\n")
        'FATAL: no such role'
    """
    lines = [line for line in text.splitlines() if line.strip()]
    for place in range(len(lines) - 1, -1, -1):
        line = lines[place]
        if line.strip() == TRACEBACK:
            # Its end stands at its own depth, and is an exception whatever its name.
            ends = (one for one in lines[place + 1 :] if not one.startswith((" ", "\t")))
            return next(ends, lines[-1]).strip()
        if NAMES_AN_ERROR.search(line):
            return line.strip()
    return lines[-1].strip() if lines else "it said nothing"
