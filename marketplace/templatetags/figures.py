"""Filters and tags that put figures on a page: money, shares, times, keys, and charts as SVG.

Loaded as a builtin, so every template has them. Charts are drawn on the server, take their colours from the
page (currentColor and classes) and say in words what they show.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ledger import spoken
from marketplace import queries as market
from marketplace.devices import device_of
from marketplace.facts import Fact
from marketplace.pages import drawing, wording

register = template.Library()

U16_MAX = 65_535
PPM = 1_000_000
BPS = 10_000
# Money in tables is cut after four decimals; the exact amount is the element's value and title.
PLACES = 4


@register.filter
def tao(rao: int | None, places: int | None = None) -> str:
    """Write rao as TAO, exactly, or cut after `places` decimals."""
    return wording.DASH if rao is None else spoken.tao(rao, places=places)


@register.filter
def dollars(rao: int) -> str:
    """Write rao in USD at the rate that cards are credited at, cut to a millionth: tokens are cheap."""
    parts = rao * 10_000 // settings.TOPUP_RAO_PER_CENT
    return f"{parts // 1_000_000}.{parts % 1_000_000:06d}"


@register.filter
def tao_short(rao: int | None) -> str:
    """Write rao as TAO in about three digits."""
    return wording.DASH if rao is None else wording.short_tao(rao)


@register.filter
def tao_input(rao: int | None) -> str:
    """Write rao as a person would type it: plain digits, no grouping."""
    return "" if rao is None else spoken.tao(rao).replace(spoken.GAP, "")


@register.filter
def number(value: int | None) -> str:
    """Group an integer's digits."""
    return wording.DASH if value is None else spoken.count(value)


@register.filter
def u16(value: int | None) -> str:
    """Write a u16 share of the chain (65 535 is the whole) in percent."""
    return wording.DASH if value is None else wording.percent(value, of=U16_MAX)


@register.filter
def ppm(value: int | None) -> str:
    """Write parts per million in percent."""
    return wording.DASH if value is None else wording.percent(value, of=PPM)


@register.filter
def bps(value: int | None) -> str:
    """Write basis points in percent: 250 is "2.50 %"."""
    return wording.DASH if value is None else wording.percent(value, of=BPS, places=2)


@register.filter
def fact(one: Fact) -> str:
    """Write a fact in its unit."""
    return wording.fact(one)


@register.filter
def key_short(ss58: str) -> str:
    """Shorten an address to its ends."""
    return wording.short_key(ss58)


@register.filter
def alias(owner: object) -> str:
    """Name an owner by the beginning of the account's id."""
    return wording.DASH if owner is None else wording.alias(owner)


@register.filter
def memory(byte_count: int) -> str:
    """Write a memory size."""
    return wording.size(byte_count)


@register.filter
def seconds_spoken(seconds: float) -> str:
    """Say a number of seconds in its largest unit."""
    return wording.duration(timedelta(seconds=seconds))


@register.filter
def device(user_agent: str) -> str:
    """Name a browser and its system."""
    return device_of(user_agent)


@register.filter
def as_json(value: object) -> str:
    """Write a value for an attribute that a script reads."""
    return json.dumps(value, cls=DjangoJSONEncoder)


@register.filter
def because(code: str) -> str:
    """Say why money moved, for a line of a statement."""
    return wording.because(code)


@register.filter
def spoken_keys(text: str) -> str:
    """Shorten every address within a text."""
    return wording.with_short_keys(text)


@register.filter
def block_length(block_ms: int) -> str:
    """Write the length of a block in seconds: 12000 is "12 s", 250 is "0.25 s"."""
    return f"{block_ms / 1000:g}{spoken.GAP}s"


@register.simple_tag
def amount(rao: int | None, places: int = PLACES, *, signed: bool = False) -> str | SafeString:
    """Set money: whole digits, quieter decimals, the exact rao as value and the exact TAO as title."""
    if rao is None:
        return wording.DASH
    text = spoken.tao(rao, places=places)
    whole, _, decimals = text.partition(".")
    sign = "+" if signed and rao > 0 else ""
    return format_html(
        '<data class="amount" value="{}" title="{} TAO">{}{}<span class="amount-part">.{}</span></data>',
        rao,
        spoken.tao(rao),
        sign,
        whole,
        decimals,
    )


@register.simple_tag
def moment(at: datetime | None, now: datetime | None = None) -> str | SafeString:
    """Set an instant: how far it is, with the exact UTC time as title and machine-readable value."""
    if at is None:
        return wording.DASH
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        at.isoformat(),
        spoken.instant(at, seconds=True),
        wording.distance(at, now=now or timezone.now()),
    )


@register.simple_tag
def key_link(ss58: str, name: str = "") -> SafeString:
    """Link an address to its page; the whole address is the title."""
    from django.urls import reverse  # noqa: PLC0415  builtins load before the addresses do

    return format_html(
        '<a class="key" href="{}" title="{}">{}</a>',
        reverse("neuron", args=[ss58]),
        ss58,
        name or wording.short_key(ss58),
    )


@register.simple_tag
def blocks_spoken(blocks: int) -> str:
    """Say how long a number of blocks takes on this network's clock."""
    return wording.duration(timedelta(milliseconds=blocks * settings.BLOCK_MS))


@register.inclusion_tag("figures/share.html")
def share(value: int | None, whole: int = U16_MAX) -> dict[str, Any]:
    """Draw a share of a whole as a thin bar beside its percentage."""
    part = value or 0
    return {
        "width": round(100 * part / whole, 1) if whole else 0,
        "text": wording.percent(part, of=whole),
        "is_unknown": value is None,
    }


@register.inclusion_tag("parts/watch.html", takes_context=True)
def watch_button(context: template.Context, netuid: int) -> dict[str, Any]:
    """Set the button by which the reader watches a subnet, or no longer does. A visitor is led to sign in."""
    request = context["request"]
    is_person = request.user.is_authenticated
    return {
        "request": request,
        "csrf_token": context["csrf_token"],
        "netuid": netuid,
        "is_person": is_person,
        "is_watching": is_person and market.is_watching(request.user.id, netuid),
    }


@register.inclusion_tag("figures/seal.html")
def seal(netuid: int) -> dict[str, Any]:
    """Draw the seal of a subnet, as engraved on a share certificate."""
    return {"path": drawing.rosette(netuid), "netuid": netuid}


@register.inclusion_tag("figures/sparkline.html")
def sparkline(values: Sequence[int], label: str) -> dict[str, Any]:
    """Draw values as a small line without axes."""
    return {"line": drawing.line(list(enumerate(values)), width=120, height=32), "label": label}


@register.inclusion_tag("figures/line.html")
def tao_over_time(
    points: Sequence[tuple[datetime, int]], label: str, *, is_step: bool = False
) -> dict[str, Any]:
    """Draw (instant, rao) points as a line chart with labels in HTML and its figures as a table.

    As steps, a value holds until the next one, and the last one until now; where it changed is marked.
    """
    now = timezone.now()
    drawn = [(int(at.timestamp()), rao) for at, rao in points]
    if is_step and drawn:
        drawn.append((int(now.timestamp()), drawn[-1][1]))
    line = drawing.line(drawn, is_step=is_step)
    return {
        "line": line,
        "is_step": is_step,
        "marks": zip(line.spots, points, strict=False) if line and is_step else (),
        "label": label,
        "points": points,
        "now": now,
        "middle": points[0][0] + (now - points[0][0]) / 2 if is_step and points else None,
        "first": points[0] if points else None,
        "last": points[-1] if points else None,
    }


@register.inclusion_tag("figures/bars.html")
def tao_by_number(
    columns: Sequence[tuple[int | str, int]], label: str, noun: str, *, is_exact: bool = False
) -> dict[str, Any]:
    """Draw (number or day, rao) columns, such as emission by epoch, oldest first.

    is_exact: the scale has every decimal, for sums far below a thousandth of a TAO.
    """
    values = [rao for _, rao in columns]
    return {
        "bars": zip(drawing.bars(values), columns, strict=True),
        "columns": columns,
        "high": max(values, default=0),
        "is_exact": is_exact,
        "label": label,
        "noun": noun,
        "first": columns[0] if columns else None,
        "last": columns[-1] if columns else None,
    }
