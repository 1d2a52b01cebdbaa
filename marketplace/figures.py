"""The network's figures on one page: every app's counts together, and whether the books are in order.

They are read often, by every visitor and every miner, and cost a dozen statements: so they are kept in
Redis for a second, and the check of the books for a little longer.
"""

import time
from dataclasses import asdict, dataclass
from datetime import datetime

from django.conf import settings
from django.core.cache import cache

from compute import queries as compute
from compute.queries import ENERGY_DAYS, Energy
from ledger.invariants import check_all_books
from marketplace import queries
from marketplace.live import instant
from subnets import queries as subnets
from subnets.api.authentication import receiver

FIGURES_KEPT_S = 1
ENERGY_KEPT_S = 60  # machines report twice a minute
# The check reads the whole ledger: it is made every five seconds, and as that grows, for at most a
# twentieth of the time.
BOOKS_KEPT_S = 5
BOOKS_KEPT_PER_S_OF_CHECK = 20


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything GET network/ says, in its order. receiver: the address signed requests are made for.

    energy_*: as `compute.queries.Energy` has it, of the last energy_days days; None where nothing was measured.
    """

    receiver: str
    gateways: tuple[str, ...]
    block: int
    block_ms: int
    emission_per_block_rao: int
    issued_rao: int
    subnet_count: int
    free_slot_count: int
    lock_cost_rao: int
    slot_premium_rao: int
    slot_premium_ends_at: datetime | None
    machine_count: int
    gpu_count: int
    jobs_verified_count: int
    epochs_paid_count: int
    paid_out_rao: int
    auctions_settled_count: int
    auctions_open_count: int
    sales_volume_rao: int
    energy_days: int
    energy_machine_count: int
    energy_kwh: float | None
    jobs_verified_per_kwh: float | None
    is_balanced: bool
    server_now: datetime

    def as_message(self) -> dict[str, object]:
        """Return the figures as listeners get them: rao as decimal strings, the instant in RFC 3339."""
        plain: dict[str, object] = {
            name: str(value) if name.endswith("_rao") else value
            for name, value in asdict(self).items()
        }
        ends_at = self.slot_premium_ends_at
        return plain | {
            "slot_premium_ends_at": None if ends_at is None else instant(ends_at),
            "server_now": instant(self.server_now),
        }


def network_figures(*, now: datetime) -> Figures:
    """Return the figures, at most FIGURES_KEPT_S old. Raises: NetworkNotFounded."""
    kept: Figures | None = cache.get("network-figures")
    if kept is None:
        kept = _read(now)
        cache.set("network-figures", kept, FIGURES_KEPT_S)
    return kept


def energy_figures(*, now: datetime) -> Energy:
    """Return what machines used lately and what came of it, at most ENERGY_KEPT_S old."""
    kept: Energy | None = cache.get("energy-figures")
    if kept is None:
        kept = compute.energy(now)
        cache.set("energy-figures", kept, ENERGY_KEPT_S)
    return kept


def books_are_balanced() -> bool:
    """Say whether every invariant of every app held when it was last looked at."""
    kept: bool | None = cache.get("books-are-balanced")
    if kept is None:
        began_s = time.monotonic()
        kept = not check_all_books()
        took_s = time.monotonic() - began_s
        cache.set("books-are-balanced", kept, max(BOOKS_KEPT_S, took_s * BOOKS_KEPT_PER_S_OF_CHECK))
    return kept


def _read(now: datetime) -> Figures:
    net = subnets.network_figures(now)
    machines = compute.compute_figures(now)
    market = queries.marketplace_figures()
    row = queries.slot_premium(now)
    energy = energy_figures(now=now)
    premium = None if row is None else queries.premium_tag(row)
    return Figures(
        receiver=receiver(),
        gateways=tuple(settings.GATEWAY_URLS),
        block=net.block,
        block_ms=net.block_ms,
        emission_per_block_rao=net.emission_per_block_rao,
        issued_rao=net.issued_rao,
        subnet_count=net.subnet_count,
        free_slot_count=net.free_slot_count,
        lock_cost_rao=net.lock_cost_rao,
        slot_premium_rao=0 if premium is None else premium.price_rao(now=now),
        slot_premium_ends_at=None if premium is None else premium.closes_at,
        machine_count=machines.machine_count,
        gpu_count=machines.gpu_count,
        jobs_verified_count=machines.jobs_verified_count,
        epochs_paid_count=net.epochs_paid_count,
        paid_out_rao=net.paid_out_rao,
        auctions_settled_count=market.auctions_settled_count,
        auctions_open_count=market.auctions_open_count,
        sales_volume_rao=market.sales_volume_rao,
        energy_days=ENERGY_DAYS,
        energy_machine_count=energy.machine_count,
        energy_kwh=energy.kwh,
        jobs_verified_per_kwh=energy.jobs_per_kwh,
        is_balanced=books_are_balanced(),
        server_now=now,
    )
