"""Why a neuron was paid what it was in a closed epoch."""

from subnets import explain
from subnets.errors import EpochUnknown
from subnets.explain import Explanation
from subnets.models import Epoch
from subnets.queries.backtests import epoch_evidence


def explanation(netuid: int, number: int, uid: int) -> Explanation:
    """Explain one uid of a closed epoch, from the metrics it was paid by.

    A full subnet takes about a tenth of a second; an epoch older than kept metrics about one, for its
    scores are measured anew. Raises: EpochUnknown, UidUnknown.
    """
    row = (
        Epoch.objects.filter(subnet=netuid, number=number)
        .select_related("evidence")
        .defer("bundle", "handed_on")
        .first()
    )
    if row is None:
        raise EpochUnknown(netuid=netuid, number=number)
    found = epoch_evidence(row)
    return explain.of_record(found.record, found.measured, uid=uid)
