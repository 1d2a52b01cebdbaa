"""Models on offer: listed, priced and closed by the owner of the subnet that answers."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction

from compute import queries, serving
from compute.errors import ModelNameTaken, TooManyModels
from compute.models import PriceChange, ServedModel
from compute.serving import ModelTerms
from subnets import queries as subnets

logger = logging.getLogger(__name__)

MODELS_PER_SUBNET_MAX = (
    20  # names are unique in the network; more of them is somebody collecting names
)
TERMS = (
    "kind",
    "context_tokens_max",
    "output_tokens_max",
    "input_rao_per_mtok",
    "output_rao_per_mtok",
    "free_tokens_per_day",
)


@transaction.atomic
def serve_model(
    *, owner: UUID, terms: ModelTerms, is_open: bool = True, now: datetime
) -> ServedModel:
    """Offer a model at these terms, from now on; requests that run keep those they began under.

    Setting what is set already changes nothing. A model is closed, never removed: what was used of it names it.
    Raises: SubnetUnknown, NotTheOwner, ModelTermsInvalid, ModelNameTaken, TooManyModels.
    """
    serving.check_terms(terms)
    subnet = subnets.lock_own_subnet(terms.netuid, owner)
    known = {row.name: row for row in queries.models_of(subnet.netuid)}
    asked = {name: getattr(terms, name) for name in TERMS} | {"is_open": is_open}
    model = known.get(terms.name)
    if model is None:
        if len(known) >= MODELS_PER_SUBNET_MAX:
            raise TooManyModels(limit=MODELS_PER_SUBNET_MAX)
        model = listed(terms, asked=asked, now=now)
    elif all(getattr(model, name) == value for name, value in asked.items()):
        return model
    else:
        for name, value in asked.items():
            setattr(model, name, value)
        model.changed_at = now
        model.save(update_fields=[*asked, "changed_at"])
    PriceChange.objects.create(
        model=model,
        input_rao_per_mtok=model.input_rao_per_mtok,
        output_rao_per_mtok=model.output_rao_per_mtok,
        free_tokens_per_day=model.free_tokens_per_day,
        is_open=is_open,
        changed_by=owner,
        changed_at=now,
    )
    logger.info("model:served model=%s netuid=%s is_open=%s", model.name, terms.netuid, is_open)
    return model


def listed(terms: ModelTerms, *, asked: dict[str, object], now: datetime) -> ServedModel:
    """Write a new model. Raises: ModelNameTaken, also when another subnet took the name at this moment."""
    new = ServedModel(
        name=terms.name, subnet_id=terms.netuid, created_at=now, changed_at=now, **asked
    )
    # The insert waits for the other owner's end and gives way to it without breaking the transaction.
    ServedModel.objects.bulk_create([new], ignore_conflicts=True)
    standing = queries.lock_model(terms.name)
    if standing.subnet_id != terms.netuid:
        raise ModelNameTaken(model=terms.name, netuid=standing.subnet_id)
    return standing
