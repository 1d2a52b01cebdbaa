"""`python -m launch demo | with-servers -- CMD…`: the commands behind `make demo` and `make test`."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  said here in one line instead of in a syntax error below
    sys.exit("Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ".")

import argparse
from collections.abc import Sequence

from launch import throwaway
from launch.errors import CannotLaunchError


def main(arguments: Sequence[str]) -> int:
    """Run one of the commands; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m launch", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    with_servers = commands.add_parser(
        "with-servers", help="run a command with a PostgreSQL and a Valkey of its own"
    )
    with_servers.add_argument("words", nargs=argparse.REMAINDER, metavar="-- CMD…")
    options = parser.parse_args(arguments)
    try:
        words = options.words[1:] if options.words[:1] == ["--"] else options.words
        if not words:
            with_servers.error("name a command after --")
        return throwaway.run(words)
    except CannotLaunchError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
