"""Replay a rule over past epochs of a subnet, before it is published."""
# ruff: noqa: ANN401  the signatures are Django's own

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from ledger.errors import DomainError
from ledger.money import format_tao
from subnets import backtest, queries, rule_trial, rules, sybil
from subnets.backtest import EPOCHS_MAX
from subnets.errors import RuleInvalid
from subnets.models import IncentiveRule

SHOWN_MAX = 10  # winners, and as many losers: a screen; --json has all
BAR_WIDTH = 40


class Command(BaseCommand):
    help = (
        "Replay a rule over the newest closed epochs of a subnet and say who would have earned what, beside "
        "what they did earn. Nothing is changed. The rule is that of a file, of a version, or else the draft, or "
        "else the one in force, for which nothing changes. Progress goes to standard error, the table to "
        "standard output."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Let --version be a rule's: Django's own says which Django this is."""
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("netuid", type=int, help="the subnet's number")
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--rule", type=Path, metavar="FILE", help="a rule document (JSON)")
        which.add_argument(
            "--version", type=int, metavar="N", help="a version of the subnet's rule"
        )
        parser.add_argument(
            "--epochs",
            type=int,
            default=100,
            metavar="N",
            help=f"how many of the newest epochs, 1 to {EPOCHS_MAX} (default: %(default)s)",
        )
        parser.add_argument(
            "--sybil",
            action="store_true",
            help="say besides what a miner would gain by splitting or copying itself",
        )
        parser.add_argument(
            "--json", action="store_true", help="print one JSON object, with every epoch and hotkey"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Replay, with a progress bar, and print the table or the JSON object."""
        netuid = options["netuid"]
        if not 1 <= options["epochs"] <= EPOCHS_MAX:
            raise CommandError(f"--epochs must lie between 1 and {EPOCHS_MAX}.")
        try:
            queries.subnet(netuid)
            rule = chosen(netuid, path=options["rule"], version=options["version"])
            steps = self.replayed(netuid, rule, count=options["epochs"])
            tried = poses(netuid, rule) if options["sybil"] else None
        except RuleInvalid as refusal:
            raise CommandError("\n".join(problems(refusal))) from None
        except DomainError as refusal:
            raise CommandError(str(refusal)) from None
        if options["json"]:
            self.stdout.write(json.dumps(facts(netuid, rule, steps, tried)))
            return
        self.stdout.write(f"{rule.title} ({rules.digest(rule)[:12]}), subnet {netuid}")
        self.stdout.write("\n".join(table(backtest.answer(steps))))
        if tried is not None:
            said = [pose.sentence for pose in tried.poses]
            self.stdout.write("\n".join(["", *said, *tried.advice]))

    def replayed(self, netuid: int, rule: rules.Rule, *, count: int) -> list[backtest.Step]:
        """Replay the rule and show how far it is. Raises: CommandError where there is nothing to replay."""
        numbers = queries.replayable_epochs(netuid, limit=count)
        if not numbers:
            raise CommandError(f"Subnet {netuid} has not closed an epoch yet.")
        past = queries.past_epochs(netuid, numbers)
        steps = []
        for step in backtest.steps(rule.document(), rules.digest(rule), past):
            steps.append(step)
            self.show_progress(len(steps), len(numbers))
        return steps

    def show_progress(self, done: int, whole: int) -> None:
        """Draw the bar anew on a terminal; elsewhere write a line a tenth."""
        bar = "#" * (BAR_WIDTH * done // whole)
        text = f"[{bar:<{BAR_WIDTH}}] {done}/{whole} epochs"
        if self.stderr.isatty():
            ending = "\n" if done == whole else ""
            self.stderr.write(f"\r{text}", style_func=str, ending=ending)
        elif 10 * done // whole > 10 * (done - 1) // whole:
            self.stderr.write(text, style_func=str)


def chosen(netuid: int, *, path: Path | None, version: int | None) -> rules.Rule:
    """Return the rule to replay; of a file or a draft only one that could be published.

    Raises: CommandError, RuleInvalid, RuleUnknown.
    """
    if path is not None:
        try:
            return rule_trial.checked(path.read_bytes())
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
    versions = {row.version: row for row in queries.rules_of(netuid)}
    if version is not None:
        if version not in versions:
            raise CommandError(f"Subnet {netuid} has no version {version} of its rule.")
        return rules.parse(versions[version].document)
    drafts = [row for row in versions.values() if row.state == IncentiveRule.State.DRAFT]
    if drafts:
        return rule_trial.checked(drafts[0].document)
    in_force = queries.rule_in_force(netuid, queries.last_epoch_number(netuid) + 1)
    return rules.parse(in_force.document)


def poses(netuid: int, rule: rules.Rule) -> sybil.Report:
    """Ask what posing as several would earn, on the last epoch's evidence."""
    burn_rao = queries.burn_cost(netuid, timezone.now())
    return sybil.report(rule, queries.last_evidence(netuid), burn_rao=burn_rao)


def facts(
    netuid: int, rule: rules.Rule, steps: list[backtest.Step], tried: sybil.Report | None
) -> dict[str, Any]:
    """Return everything as JSON: the sums, every epoch, and the sybil check where it was asked for."""
    told: dict[str, Any] = {"netuid": netuid, "digest": rules.digest(rule)}
    told |= backtest.answer_json(backtest.answer(steps))
    told["epochs"] = [backtest.step_json(step) for step in steps]
    return told if tried is None else told | {"sybil": sybil.report_json(tried)}


def problems(refusal: RuleInvalid) -> Iterator[str]:
    """Yield every problem of a rule with its place."""
    found = refusal.fields["problems"]
    assert isinstance(found, list)
    for item in found:
        yield f"{item['pointer'] or 'The rule'}: {item['detail']}"


def table(found: backtest.Answer) -> Iterator[str]:
    """Yield the lines of the table: winners, losers, and how the emission was split."""
    yield (
        f"Epochs {found.first_epoch} to {found.last_epoch}: {format_tao(found.emission_rao)} TAO, of which "
        f"{format_tao(found.moved_rao)} TAO would have gone to others."
    )
    for number, fault in found.faults[:SHOWN_MAX]:
        yield f"Epoch {number}: the rule could not be applied, its predecessor would have paid. {fault}"
    if found.is_same:
        yield "Nobody would have earned a rao more or less."
    winners = [row for row in found.hotkeys if row[1].change_rao > 0]
    losers = [row for row in reversed(found.hotkeys) if row[1].change_rao < 0]
    head = f"{'hotkey':<48} {'did earn':>22} {'would earn':>22} {'change, TAO':>22}"
    for name, rows in (("winners", winners), ("losers", losers)):
        if rows:
            yield f"\n{len(rows)} {name}, the greatest first"
            yield head
        for hotkey, part in rows[:SHOWN_MAX]:
            figures = (part.was_rao, part.would_rao, part.change_rao)
            yield f"{hotkey:<48} " + " ".join(f"{format_tao(rao):>22}" for rao in figures)
    yield f"\n{'all together':<48} {'did get':>22} {'would get':>22}"
    for name in ("owner", "miners", "validators", "burned"):
        was_rao, would_rao = (getattr(side, f"{name}_rao") for side in (found.was, found.would))
        yield f"{name:<48} {format_tao(was_rao):>22} {format_tao(would_rao):>22}"
