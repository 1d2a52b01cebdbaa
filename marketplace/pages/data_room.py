"""The data room of a subnet: facts with their epochs, charts, incidents; apart from them what its seller says."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from marketplace import facts
from marketplace import queries as market
from marketplace.pages.refusals import answered
from subnets import queries as subnets
from subnets.hyperparameters import HYPERPARAMETERS

RULES_SHOWN = 10
CHANGES_SHOWN = 20


@answered
def data_room(request: HttpRequest, netuid: int) -> HttpResponse:
    """Show what the books say of a subnet."""
    now = timezone.now()
    row = subnets.subnet(netuid)
    (room,) = market.data_rooms([netuid], now=now)
    epochs = market.epoch_lines(netuid, now=now)
    oldest_first = epochs[::-1]
    page = {
        "subnet": row,
        "room": room,
        "groups": facts.by_group(room.facts),
        "epochs": epochs,
        "emissions": [(one.number, one.emission_rao) for one in oldest_first],
        "revenues": [(one.number, one.revenue_rao) for one in oldest_first],
        "incidents": [one for one in epochs if one.is_late or one.rule_fault],
        "rule_history": subnets.rule_history(netuid, limit=RULES_SHOWN),
        "changes": subnets.hyperparameter_changes(netuid, limit=CHANGES_SHOWN),
        "labels": {one.name: one.name.replace("_", " ") for one in HYPERPARAMETERS},
        "says": market.seller_says(row),
        "now": now,
    }
    return render(request, "pages/data_room.html", page)
