"""What an epoch hands on to the neurons' rows: permits, bonds, last updates, and what each was paid."""

from collections.abc import Mapping, Sequence

import orjson

from ledger import prepared
from subnets.payroll import Term

# One statement for a whole subnet. Neurons are told by their rows, not by their uids: one that was pruned
# while its last epoch was computed is gone, its successor keeps what it came with, and bonds to the uid
# belonged to the one that left.
HAND_ON = """
UPDATE subnets_neuron AS neuron
SET has_permit = term.has_permit,
    bonds = term.bonds - ARRAY(
        SELECT begun.uid::text FROM unnest(%(neurons)s::bigint[], %(uids)s::int[]) AS begun (neuron_id, uid)
        WHERE NOT EXISTS (SELECT 1 FROM subnets_neuron AS seated WHERE seated.id = begun.neuron_id)
    ),
    last_update_block = term.last_update_block,
    emission_rao = term.emission_rao
FROM ROWS FROM (
    unnest(%(neurons)s::bigint[], %(permits)s::bool[], %(updates)s::bigint[], %(emissions_rao)s::bigint[]),
    jsonb_array_elements(%(bonds)s::jsonb)
) AS term (neuron_id, has_permit, last_update_block, emission_rao, bonds)
WHERE neuron.id = term.neuron_id
"""


def hand_on(neurons: Mapping[int, int], terms: Sequence[Term]) -> None:
    """Write an epoch's terms to the neurons it was computed for; neurons: uid → row. The subnet is locked."""
    prepared.send(
        HAND_ON,
        {
            "neurons": prepared.numbers(neurons[term.uid] for term in terms),
            "uids": prepared.numbers(term.uid for term in terms),
            "permits": prepared.texts(term.has_permit for term in terms),
            # One text: the driver takes an array of them apart letter by letter.
            "bonds": orjson.dumps(
                [dict(term.bonds) for term in terms], option=orjson.OPT_NON_STR_KEYS
            ).decode(),
            "updates": prepared.numbers(term.last_update_block for term in terms),
            "emissions_rao": prepared.numbers(
                term.miner_rao + term.validator_rao for term in terms
            ),
        },
    )
