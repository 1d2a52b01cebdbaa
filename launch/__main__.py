"""The commands behind `make demo`, `make test` and the commands for developers."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  said here in one line instead of in a syntax error below
    sys.exit("Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ".")

import argparse
import shutil
from collections.abc import Sequence

from launch import beside, browser, demo, foreground, localstripe, throwaway
from launch.errors import CannotLaunchError
from launch.servers import CACHE


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(prog="python -m launch", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, words in {
        "with-servers": "run a command with a PostgreSQL and a Valkey of its own, gone afterwards",
        "with-demo": "run a command on the demo's data",
    }.items():
        command = commands.add_parser(name, help=words)
        command.add_argument("words", nargs="+", metavar="CMD", help="after --: the command")
    demonstrate = commands.add_parser("demo", help="run the whole network on this machine")
    demonstrate.add_argument("--port", default=str(demo.PORT))
    demonstrate.add_argument("--fresh", action="store_true", help="begin with no data")
    demonstrate.add_argument("--json", action="store_true", help="one JSON object a line")
    demonstrate.add_argument(
        "--until-done", type=float, metavar="SECONDS", help="exit 0 when all has been shown, else 1"
    )
    commands.add_parser("chromium", help="find or install the browser of the tests; print its path")
    commands.add_parser(
        "localstripe", help="find or install the second stand-in for Stripe of the tests"
    )
    commands.add_parser("clean", help="remove the demo's data and PostgreSQL's programs")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Run one of the commands; return the exit status."""
    options = parse(arguments)
    try:
        match options.command:
            case "with-servers":
                return foreground.run(options.words, variables=throwaway.environment())
            case "with-demo":
                return foreground.run(options.words, variables=beside.environment())
            case "demo":
                return demo.run(
                    demo.Options(
                        port=demo.port_of(options.port),
                        is_fresh=options.fresh,
                        is_json=options.json,
                        until_done_s=options.until_done,
                    )
                )
            case "chromium":
                print(browser.ensure())
            case "localstripe":
                print(localstripe.ensure())
            case "clean":
                demo.remove(demo.STATE)
                shutil.rmtree(CACHE, ignore_errors=True)
    except CannotLaunchError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
