"""Pages that anybody may read: home, one subnet, one hotkey, the guide."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from compute import queries as compute
from compute.models import Job
from ledger.money import RAO_PER_TAO
from marketplace import queries as market
from marketplace.browsing import Wanted, chosen, yield_days
from marketplace.catalogue import catalogue
from marketplace.figures import energy_figures
from marketplace.models import Auction
from marketplace.pages import wording
from marketplace.pages.explaining import why_paid
from marketplace.pages.finding import written_rows
from marketplace.pages.hyperparameters import hyperparameter_figures
from marketplace.pages.models import others_prices
from marketplace.pages.refusals import answered
from marketplace.pages.rule_words import rule_words
from subnets import clock
from subnets import queries as subnets
from subnets.errors import NetworkNotFounded
from subnets.models import Blueprint, Epoch, Subnet

TOP_SUBNETS = 8  # as many as a screen shows
EPOCHS_LISTED = 10  # of those that are charted, the newest
EPOCHS_CHARTED = 40  # columns that stay apart on a phone
SALES_SHOWN = 6
RULES_SHOWN = 10  # the API has them all
JOBS_SHOWN = 12
ROWS_SHOWN = 50
BLUEPRINT_WORDS = {
    Blueprint.MATMUL: "Multiply int8 matrices; each product is checked by Freivalds’ method.",
    Blueprint.EMBEDDINGS: "Turn sentences into vectors; samples are computed again and compared.",
    Blueprint.LANGUAGE: "Answer conversations; validators ask their own model and compare the beginning.",
}


@dataclass(frozen=True, slots=True)
class WorkLine:
    """A job of a subnet, with its state and its origin in words, sealed as long as they give something away."""

    job: compute.JobLine
    state: str
    origin: str


@answered
def home(request: HttpRequest) -> HttpResponse:
    """Show the network in figures, live auctions, and the subnets that pay most."""
    now = timezone.now()
    auctions, asks = market.auctions(state=Auction.State.OPEN), market.asks()
    listings = catalogue(now=now, asks=asks)
    figures, work = network_figures(now), compute.compute_figures(now)
    page = {
        "figures": figures,
        "slot_cost": figures and market.slot_cost(now, lock_rao=figures.lock_cost_rao),
        "work": work,
        "capacity": compute.capacity(now),
        "energy": energy_figures(now=now),
        "energy_days": compute.ENERGY_DAYS,
        "jobs_per_tao": jobs_per_tao(work.jobs_verified_count, figures),
        "auctions": auctions,
        "rows": written_rows(chosen(listings, Wanted(), sort="emission")[:TOP_SUBNETS]),
        "sales": market.recent_sales(SALES_SHOWN),
        "floor": market.floor_ask(asks),
    }
    return render(request, "pages/home.html", page)


def jobs_per_tao(jobs_count: int, figures: subnets.NetworkFigures | None) -> float | None:
    """Return verified jobs for each TAO that epochs paid; None before they paid any."""
    if figures is None or not figures.paid_out_rao:
        return None
    return jobs_count * RAO_PER_TAO / figures.paid_out_rao


@answered
def subnet(request: HttpRequest, netuid: int) -> HttpResponse:
    """Show one subnet: what it does, what it pays, who works there, and the proof."""
    row, now = subnets.subnet(netuid), timezone.now()
    page = {
        "subnet": row,
        "blueprint_words": BLUEPRINT_WORDS[Blueprint(row.blueprint)],
        "now": now,
        "is_owner": request.user.is_authenticated and request.user.id == row.owner,
        "jobs": work_lines(netuid),
    }
    page |= neuron_figures(netuid) | market_figures(netuid)
    page |= epoch_figures(request, row) | times_and_costs(row, now)
    page |= hyperparameter_figures(row, now=now) | model_prices(netuid, now=now)
    return render(request, "pages/subnet.html", page)


def model_prices(netuid: int, *, now: datetime) -> dict[str, Any]:
    """Return what a subnet's models cost, beside what others ask; nothing where it serves none."""
    models = [compute.terms_of(row) for row in compute.models_of(netuid) if row.is_open]
    if not models:
        return {}
    return {"models": models} | others_prices(now.date())


@answered
def neuron(request: HttpRequest, ss58: str) -> HttpResponse:
    """Show one hotkey: where it stands, what it was paid, and its scores with reasons."""
    payouts = subnets.payouts_of_hotkey(ss58, limit=ROWS_SHOWN)
    page = {
        "ss58": ss58,
        "hotkey": subnets.hotkey(ss58),
        "standings": subnets.standings_of_hotkey(ss58),
        "payouts": payouts[:20],
        "earned": earned_lines(payouts),
        "scores": compute.scores_of_miner(ss58, limit=ROWS_SHOWN),
    }
    page |= why_paid(ss58, request.GET.get("why", ""), payouts[:20])
    return render(request, "pages/neuron.html", page)


def earned_lines(payouts: list[subnets.Payout]) -> list[tuple[str, list[tuple[datetime, int]]]]:
    """Return a title and (instant, rao) points for each subnet: epochs of several are not one line."""
    return [
        (
            f"Paid by epoch on subnet {netuid}, as it came",
            [(one.closed_at, one.payout_rao) for one in reversed(payouts) if one.netuid == netuid],
        )
        for netuid in sorted({payout.netuid for payout in payouts})
    ]


def guide(request: HttpRequest) -> HttpResponse:
    """Tell miners, validators and owners how to start."""
    return render(request, "pages/guide.html")


def network_figures(now: datetime) -> subnets.NetworkFigures | None:
    """Return the network's figures; None before its genesis, so that the first page can say so."""
    try:
        return subnets.network_figures(now)
    except NetworkNotFounded:
        return None


def work_lines(netuid: int) -> list[WorkLine]:
    """Return a subnet's newest jobs in words."""
    return [
        WorkLine(
            job=job,
            state=Job.State(job.state).label + (", verdict sealed" if job.is_sealed else ""),
            origin=Job.Origin(job.origin).label if job.origin else "sealed until it ends",
        )
        for job in compute.jobs_of(netuid, limit=JOBS_SHOWN)
    ]


def neuron_figures(netuid: int) -> dict[str, Any]:
    """Return the metagraph and what it adds up to."""
    neurons = subnets.metagraph(netuid)
    return {
        "neurons": neurons,
        "stake_rao": sum(row.stake_rao for row in neurons),
        "validator_count": sum(row.has_permit for row in neurons),
    }


def times_and_costs(row: Subnet, now: datetime) -> dict[str, Any]:
    """Return when the running epoch ends, and what a place and the slot itself cost."""
    net = subnets.network()
    block = clock.block_at(now, genesis_at=net.genesis_at, block_ms=net.block_ms)
    return {
        "next_epoch_at": clock.time_of_block(
            row.next_epoch_block, genesis_at=net.genesis_at, block_ms=net.block_ms
        ),
        "burn_rao": subnets.burn_cost_at(row, block=block),
        "waiting_rao": subnets.waiting_rao(row.netuid, now=now),
    }


def market_figures(netuid: int) -> dict[str, Any]:
    """Return the auction a subnet stands in, and what was paid for it before."""
    sales = market.sales_of(netuid)
    ask = market.ask_of(netuid)
    price_rao = ask.price_rao if ask else sales[0].price_rao if sales else None
    epoch = subnets.emission_weeks(timezone.now(), netuid=netuid).get(netuid)
    tenths = yield_days(price_rao=price_rao, day_rao=epoch.day_rao if epoch else 0)
    return {
        "auction": ask,
        "ask": ask,
        "ask_words": Auction.Format(ask.format).label if ask else "",
        "days": "" if tenths is None else wording.tenths(tenths),
        "sales": sales,
        "prices": [(sale.sold_at, sale.price_rao) for sale in reversed(sales)],
    }


def epoch_figures(request: HttpRequest, row: Subnet) -> dict[str, Any]:
    """Return closed epochs with their proof, and the rules before and after the running one."""
    epochs = subnets.epochs(row.netuid, limit=EPOCHS_CHARTED)
    return {
        "epochs": epochs,
        "listed": epochs[:EPOCHS_LISTED],
        "has_burned": any(epoch.burned_rao for epoch in epochs[:EPOCHS_LISTED]),
        "emissions": [(epoch.number, epoch.emission_rao) for epoch in reversed(epochs)],
        "bundle_url": bundle_url(request, epochs),
        **rule_figures(row, epochs),
    }


def rule_figures(row: Subnet, epochs: list[Epoch]) -> dict[str, Any]:
    """Return the rule that pays the running epoch, in words, and the one announced to follow it."""
    running = epochs[0].number + 1 if epochs else 1
    in_force = coming = None
    # Newest first: the first that has begun is in force, and the one before it in the list follows.
    for rule in subnets.rules_of(row.netuid):
        if rule.from_epoch is None:
            continue
        if rule.from_epoch <= running:
            in_force = rule
            break
        if coming is None or rule.from_epoch != coming.from_epoch:  # of one epoch the newest acts
            coming = rule
    fault = subnets.rule_fault(row.netuid)
    if fault and in_force and in_force.from_epoch and in_force.from_epoch <= fault.last:
        in_force = subnets.rule_change(row.netuid, fault.paying_version).rule
    else:
        fault = None  # of a version that another has followed since
    return {
        "running_epoch": running,
        "rule": in_force,
        "rule_words": rule_words(in_force.document) if in_force else None,
        "next_rule": coming,
        "rule_fault": fault,
        "rule_history": subnets.rule_history(row.netuid, limit=RULES_SHOWN),
    }


def bundle_url(request: HttpRequest, epochs: list[Epoch]) -> str:
    """Return the whole address of the newest epoch's bundle, to paste into the audit command."""
    if not epochs:
        return ""
    newest = epochs[0]
    return request.build_absolute_uri(
        f"/api/v1/subnets/{newest.subnet_id}/epochs/{newest.number}/bundle.json"
    )
