"""Run the benchmarks: `python -m bench [NAME …] [--json] [--strict]`; `make bench` starts the servers it needs."""

import argparse
import importlib
import json
import os
import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import asdict

import bench
from bench.figures import Figure

NOT_BENCHMARKS = {"__main__", "figures"}


def names() -> list[str]:
    """List the benchmarks."""
    return sorted(
        module.name
        for module in pkgutil.iter_modules(bench.__path__)
        if module.name not in NOT_BENCHMARKS and not module.name.startswith("_")
    )


def measured(chosen: list[str]) -> Iterator[tuple[str, Figure]]:
    """Run benchmarks in order; a private module (_name) is what they share."""
    for name in chosen:
        for figure in importlib.import_module(f"bench.{name}").measure():
            yield name, figure


def spoken(name: str, figure: Figure) -> str:
    """Write a figure as a line."""
    line = f"{name:<12} {figure.name:<52} {figure.value:>12,.3f} {figure.unit}"
    if figure.peer is not None:
        line += f"   {figure.ratio:.2f} x of {figure.peer:,.3f} ({figure.peer_name})"
    if figure.target is not None:
        side = "at most" if figure.at_most else "at least"
        unit = figure.unit if figure.peer is None else "x"
        line += f"   {'met' if figure.is_met else 'MISSED'}: {side} {figure.target:g} {unit}"
    return line


def main() -> int:
    """Print one line a figure."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(names())}")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a target is missed")
    asked = parser.parse_args()
    unknown = set(asked.names) - set(names())
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(names())}")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    missed = False
    for name, figure in measured(asked.names or names()):
        missed |= figure.is_met is False
        facts = {
            "benchmark": name,
            **asdict(figure),
            "ratio": figure.ratio,
            "is_met": figure.is_met,
        }
        print(json.dumps(facts) if asked.json else spoken(name, figure), flush=True)
    return int(missed and asked.strict)


if __name__ == "__main__":
    sys.exit(main())
