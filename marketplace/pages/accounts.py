"""Pages of one's own: the wallet, keys and machines."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from compute import queries as compute
from compute.models import Machine
from compute.queries.machines import LIVE_WITHIN
from ledger import queries as books
from ledger import spoken
from ledger.chart import Code
from ledger.errors import DomainError
from ledger.money import RAO_PER_TAO, format_tao
from marketplace import operations as marketplace
from marketplace import payments
from marketplace import queries as market
from marketplace.models import Deposit, User
from marketplace.pages.forms import CodeForm, TopUpForm, code_form
from marketplace.pages.reader import form_key, reader
from marketplace.pages.refusals import answered, words
from subnets import operations as slots
from subnets import queries as subnets
from subnets.hyperparameters import BY_NAME
from subnets.models import Blueprint, HotkeyChallenge

STATEMENT_LINES = 40
BURN_ROOM = 2  # three registrations raise a burn by 1.26 each, twofold in all
# The least stake that counts on a new subnet, for the reader to change.
STAKE_TAO = BY_NAME["stake_threshold"].default // RAO_PER_TAO
TEST_GRANT = "test"  # one key an account: taking twice gives once


@dataclass(frozen=True, slots=True)
class DepositLine:
    """A top-up with its amount in dollars."""

    row: Deposit
    dollars: str
    refunded: str


@dataclass(frozen=True, slots=True)
class MachineLine:
    """A machine, whether it was heard of lately, and the kinds of work it runs."""

    machine: Machine
    is_live: bool
    work: str


@login_required
@answered
def wallet(request: HttpRequest) -> HttpResponse:
    """Show the reader's money; start a card top-up."""
    form = TopUpForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        deposit = started_deposit(request, form)
        if deposit:
            return HttpResponseRedirect(deposit.checkout_url)
    page = {"form": form, "key": request.POST.get("key") or uuid.uuid4()}
    owner = reader(request)
    page |= money_of(owner, before_id=before_id(request)) | cards_of(owner) | dealings_of(owner)
    return render(request, "pages/wallet.html", page)


def started_deposit(request: HttpRequest, form: TopUpForm) -> Deposit | None:
    """Quote the top-up and open its card page; None with the refusal on the form."""
    owner = reader(request)
    try:
        return marketplace.start_deposit(
            owner=owner.id,
            email=owner.email,
            amount_cents=form.cleaned_data["dollars"] * 100,
            key=form_key(request, "deposit", request.POST.get("key", "")),
            now=timezone.now(),
        )
    except DomainError as refusal:
        form.add_error(None, words(refusal))
        return None


def money_of(owner: User, *, before_id: int | None) -> dict[str, Any]:
    """Return balance, holds, and a page of the statement with the id that leads to the next."""
    lines = books.statement(owner.id, limit=STATEMENT_LINES, before_id=before_id)
    return {
        "balance": market.purse(owner.id, timezone.now()),
        "holds": books.holds_of(owner.id),
        "lines": lines,
        "older_id": lines[-1].id if len(lines) == STATEMENT_LINES else None,
        "test_tao": 0
        if any(line.code == Code.GRANT_MADE for line in lines)
        else settings.TEST_TAO_PER_ACCOUNT,
    }


@login_required
@require_POST
@answered
def test_tao(request: HttpRequest) -> HttpResponse:
    """Give the reader the demo's test TAO, once."""
    if not settings.TEST_TAO_PER_ACCOUNT:
        raise Http404
    marketplace.grant_test_tao(
        owner=reader(request).id,
        amount_rao=settings.TEST_TAO_PER_ACCOUNT * RAO_PER_TAO,
        key=TEST_GRANT,
        now=timezone.now(),
    )
    return redirect("wallet")


def cards_of(owner: User) -> dict[str, Any]:
    """Return whether cards can be used, at what rate, and the last top-ups."""
    return {
        "cards_are_on": payments.is_switched_on(),
        "rate_sentence": f"1 USD buys {spoken.tao(settings.TOPUP_RAO_PER_CENT * 100)} TAO now.",
        "deposits": [
            DepositLine(
                row=row,
                dollars=spoken.dollars(row.amount_cents),
                refunded=spoken.dollars(row.refunded_cents) if row.refunded_cents else "",
            )
            for row in market.deposits_of(owner.id)
        ],
    }


def dealings_of(owner: User) -> dict[str, Any]:
    """Return what the reader owns, bids for and sells."""
    return {
        "owned": subnets.subnets_of(owner.id),
        "bids": market.bids_of(owner.id),
        "selling": market.auctions_of_seller(owner.id),
    }


def before_id(request: HttpRequest) -> int | None:
    """Read where the statement's page begins; anything but a number begins at the newest line."""
    sent = request.GET.get("before", "")
    return int(sent) if sent.isdecimal() and len(sent) <= 18 else None


@login_required
@answered
def keys(request: HttpRequest) -> HttpResponse:
    """Show the reader's hotkeys and machines; make a one-time code for a new hotkey."""
    owner = reader(request)
    form = code_form(request.POST or None, subnets=subnets.subnet_rows())
    page: dict[str, Any] = {"form": form}
    if request.method == "POST" and form.is_valid():
        page |= code_for(request, form)
    now = timezone.now()
    page["hotkeys"] = subnets.hotkeys_of(owner.id)
    page["machines"] = [machine_line(row, now) for row in compute.machines_of(owner.id)]
    return render(request, "pages/keys.html", page)


def code_for(request: HttpRequest, form: CodeForm) -> dict[str, Any]:
    """Make a code and the commands that use it; without a code, the refusal stands on the form."""
    try:
        code = slots.open_challenge(owner=reader(request).id, now=timezone.now())
    except DomainError as refusal:
        form.add_error(None, words(refusal))
        return {}
    return {"code": code, **commands(request, code, form.cleaned_data["netuid"])}


def commands(request: HttpRequest, code: HotkeyChallenge, netuid: int) -> dict[str, str]:
    """Write the command lines that make a hotkey, link it and start to work."""
    # Each registration raises the price; with this room the command works even if a few come first.
    limit_rao = subnets.burn_cost(netuid, timezone.now()) * BURN_ROOM
    words = (
        f"--url {request.build_absolute_uri('/').rstrip('/')} --netuid {netuid} \\\n"
        f"  --code {code.code} --max-burn-tao {format_tao(limit_rao)}"
    )
    return {
        "miner_command": (
            f"neuron wallet new --out miner.seed\nneuron miner --seed-file miner.seed {words}"
        ),
        "validator_command": (
            "neuron wallet new --out validator.seed\n"
            f"neuron validator --seed-file validator.seed {words} --stake-tao {STAKE_TAO}"
        ),
    }


def machine_line(machine: Machine, now: datetime) -> MachineLine:
    """Read a machine's row for the page."""
    labels = dict(Blueprint.choices)
    return MachineLine(
        machine=machine,
        is_live=now - machine.last_seen_at <= LIVE_WITHIN,
        work=", ".join(labels.get(kind, kind) for kind in machine.blueprints),
    )
