"""Models on offer, tabs, and what was used: locks, sums and rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from django.db import connection
from django.db.models import F, Q, Sum

from compute.errors import ModelUnknown, TabUnknown
from compute.models import ServedModel, Tab, Usage
from compute.serving import Kind, ModelTerms, Outcome

# A request lives for minutes and a gateway opens no tab's second hour, so after a day nobody is coming back for it.
TAB_LEFT_AFTER = timedelta(days=1)
# The first half of an advisory lock's name ("TABS"), so that no other use of such locks meets this one.
TAB_OPENERS = 0x54414253


def open_models() -> list[ModelTerms]:
    """List what can be asked for now, by name, in one statement."""
    return [terms_of(row) for row in ServedModel.objects.filter(is_open=True).order_by("name")]


def terms_of(row: ServedModel) -> ModelTerms:
    """Return the terms that a model is served at."""
    return ModelTerms(
        name=row.name,
        netuid=row.subnet_id,
        kind=Kind(row.kind),
        context_tokens_max=row.context_tokens_max,
        output_tokens_max=row.output_tokens_max,
        input_rao_per_mtok=row.input_rao_per_mtok,
        output_rao_per_mtok=row.output_rao_per_mtok,
        free_tokens_per_day=row.free_tokens_per_day,
    )


def models_of(netuid: int) -> list[ServedModel]:
    """List the models of a subnet, those that are closed too."""
    return list(ServedModel.objects.filter(subnet=netuid).order_by("name"))


def lock_model(name: str) -> ServedModel:
    """Lock one model. Raises: ModelUnknown."""
    found = ServedModel.objects.select_for_update(of=("self",)).filter(pk=name).first()
    if found is None:
        raise ModelUnknown(model=name)
    return found


def free_tokens_used(owner: UUID, model: str, day: date) -> int:
    """Return how many tokens of a model an owner had free on a day (UTC)."""
    begins_at = datetime.combine(day, time(), UTC)
    rows = Usage.objects.filter(
        owner=owner,
        model=model,
        is_free=True,
        began_at__gte=begins_at,
        began_at__lt=begins_at + timedelta(days=1),
    ).exclude(outcome=Outcome.FAILED)
    used = rows.aggregate(tokens=Sum(F("prompt_tokens") + F("completion_tokens")))
    return int(used["tokens"] or 0)


def month_of(now: datetime) -> tuple[datetime, datetime]:
    """Return when the calendar month of an instant began, and when the next one does (UTC)."""
    first = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return first, (first + timedelta(days=32)).replace(day=1)


def lock_payer(payer: str) -> None:
    """Queue up with whoever else opens a tab for the same key, to the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [TAB_OPENERS, payer])


def spent_by_payer(payers: Iterable[str], *, now: datetime) -> dict[str, int]:
    """Return key → what it spent on tabs opened this month, and what its open ones set aside, whenever opened."""
    begins_at, _ = month_of(now)
    sums = (
        Tab.objects.filter(payer__in=list(payers))
        .values("payer")
        .annotate(
            spent=Sum("spent_rao", filter=Q(opened_at__gte=begins_at)),
            held=Sum("held_rao", filter=Q(state=Tab.State.OPEN)),
        )
    )
    return {row["payer"]: int(row["spent"] or 0) + int(row["held"] or 0) for row in sums}


def lock_tab(tab_id: UUID) -> Tab:
    """Lock one tab. Raises: TabUnknown."""
    found = Tab.objects.select_for_update(of=("self",), no_key=True).filter(pk=tab_id).first()
    if found is None:
        raise TabUnknown(tab_id=tab_id)
    return found


def lock_open_tabs(tab_ids: Iterable[UUID]) -> set[UUID]:
    """Lock those of these tabs that are open, in the order of their ids, and return which they are."""
    rows = Tab.objects.filter(pk__in=set(tab_ids)).order_by("pk")
    locked = rows.select_for_update(of=("self",), no_key=True).values_list("pk", "state")
    return {tab_id for tab_id, state in locked if state == Tab.State.OPEN}


def left_tab_ids(now: datetime, *, limit: int) -> list[UUID]:
    """Return open tabs whose gateway never came back, oldest first."""
    rows = Tab.objects.filter(state=Tab.State.OPEN, opened_at__lte=now - TAB_LEFT_AFTER)
    return list(rows.order_by("opened_at").values_list("pk", flat=True)[:limit])


@dataclass(frozen=True, slots=True)
class Debt:
    """What one tab owes for the answers of one miner on one subnet."""

    netuid: int
    hotkey: str
    amount_rao: int


def debts_of(tab: Tab) -> list[Debt]:
    """Return what is owed from a tab, one line a miner and subnet."""
    rows = Usage.objects.filter(tab=tab, price_rao__gt=0).values("netuid", "hotkey")
    sums = rows.annotate(rao=Sum("price_rao")).order_by("netuid", "hotkey")
    return [Debt(row["netuid"], row["hotkey"], int(row["rao"])) for row in sums]


def known_usages(usage_ids: Iterable[UUID]) -> set[UUID]:
    """Return which of these requests are in the books already."""
    return set(Usage.objects.filter(pk__in=list(usage_ids)).values_list("pk", flat=True))
