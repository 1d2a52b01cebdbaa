"""Hotkeys, neurons, stake, and what epochs paid them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import orjson
from django.db.models import Subquery

from ledger import prepared
from ledger import queries as books
from subnets.errors import NotRegistered, SubnetUnknown
from subnets.models import Epoch, EpochTerm, Hotkey, Neuron, Subnet

# Names are text in JSON. A subnet's uids, which the database bounds, are found here sooner than they are read.
UID_OF = {str(uid): uid for uid in range(256)}
SEATED = """
SELECT neuron.id, uid, hotkey_id, hotkey.owner::text, registered_block, last_update_block, has_permit, bonds::text
FROM subnets_neuron AS neuron JOIN subnets_hotkey AS hotkey ON hotkey.ss58 = neuron.hotkey_id
WHERE subnet_id = %(netuid)s::int ORDER BY uid
"""
PAGE_MAX = 100  # rows of any list that a caller can ask for at once


def hotkey(ss58: str) -> Hotkey | None:
    """Return a linked hotkey, or None."""
    return Hotkey.objects.filter(ss58=ss58).first()


def hotkeys_of(owner: UUID) -> list[Hotkey]:
    """List an owner's hotkeys, newest first."""
    return list(Hotkey.objects.filter(owner=owner).order_by("-linked_at"))


def require_neuron(*, netuid: int, hotkey: str) -> Neuron:
    """Return the neuron of a hotkey on a subnet. Raises: SubnetUnknown, NotRegistered."""
    found = Neuron.objects.filter(subnet=netuid, hotkey=hotkey).first()
    if found is None:
        if not Subnet.objects.filter(pk=netuid).exists():
            raise SubnetUnknown(netuid=netuid)
        raise NotRegistered(hotkey=hotkey, netuid=netuid)
    return found


def neurons_of_hotkey(ss58: str) -> list[Neuron]:
    """List where a hotkey is registered."""
    return list(Neuron.objects.filter(hotkey=ss58).select_related("subnet"))


def hotkeys_on(netuid: int) -> dict[str, UUID]:
    """Return hotkey → owner of everyone registered on the subnet."""
    return dict(Neuron.objects.filter(subnet=netuid).values_list("hotkey_id", "hotkey__owner"))


class Seated(NamedTuple):
    """What an epoch reads of a neuron, the row's id included. bonds_json: as they lie in the row."""

    id: int
    uid: int
    hotkey: str
    owner: str
    registered_block: int
    last_update_block: int
    has_permit: bool
    bonds_json: str

    @property
    def bonds(self) -> dict[int, int]:
        """Read the bonds: miner uid → u16."""
        return {UID_OF[uid]: u16 for uid, u16 in orjson.loads(self.bonds_json).items()}


def seated(netuid: int) -> list[Seated]:
    """List the subnet's neurons by uid, without making a row and a hotkey of each."""
    return [Seated._make(row) for row in prepared.rows(SEATED, {"netuid": netuid})]


def netuids_of(hotkeys: Collection[str]) -> dict[str, frozenset[int]]:
    """Return hotkey → where it is registered, for each of them, in one statement."""
    found: dict[str, set[int]] = {ss58: set() for ss58 in hotkeys}
    rows = Neuron.objects.filter(hotkey__in=found).values_list("hotkey_id", "subnet_id")
    for ss58, netuid in rows:
        found[ss58].add(netuid)
    return {ss58: frozenset(netuids) for ss58, netuids in found.items()}


def stake_by_subnet() -> dict[int, int]:
    """Return netuid → TAO staked there, in rao, in one statement."""
    return books.staked_by_netuid()


def stake_by_hotkey(netuid: int) -> dict[str, int]:
    """Return hotkey → TAO staked on it in the subnet, in rao."""
    totals: dict[str, int] = {}
    for staked_on, _, amount_rao in books.stakes(netuid):
        totals[staked_on] = totals.get(staked_on, 0) + amount_rao
    return totals


def stake_of(hotkey: str, netuid: int) -> int:
    """Return what all owners together staked on a hotkey, in rao."""
    return stake_by_hotkey(netuid).get(hotkey, 0)


def least_stake_rao(netuid: int) -> int:
    """Return the least stake by which a validator of the subnet is heard, in rao; never less than one."""
    values = Subnet.objects.filter(pk=netuid).values_list("hyperparameters", flat=True).first()
    return max(1, values["stake_threshold"]) if values else 1


def permitted_validators(netuid: int) -> dict[str, int]:
    """Return the validators whose scores count now: registered, with the subnet's least stake or more.

    Consensus takes less than the threshold for none; who would not be heard there is not asked here.
    """
    least_rao = least_stake_rao(netuid)
    staked = stake_by_hotkey(netuid)
    return {key: staked[key] for key in hotkeys_on(netuid) if staked.get(key, 0) >= least_rao}


@dataclass(frozen=True, slots=True)
class MetagraphRow:
    uid: int
    hotkey: str
    name: str
    owner: UUID
    stake_rao: int
    has_permit: bool
    consensus_u16: int
    incentive_u16: int
    dividends_u16: int
    validator_trust_u16: int
    last_payout_rao: int
    registered_block: int


def metagraph(netuid: int) -> list[MetagraphRow]:
    """Return every neuron of a subnet with what the last closed epoch said of it. Three statements."""
    staked = stake_by_hotkey(netuid)
    last = Epoch.objects.filter(subnet=netuid).order_by("-number").values("pk")[:1]
    terms = {term.hotkey: term for term in EpochTerm.objects.filter(epoch=Subquery(last))}
    rows = Neuron.objects.filter(subnet=netuid).select_related("hotkey").order_by("uid")
    return [_metagraph_row(row, terms.get(row.hotkey_id), staked) for row in rows]


def _metagraph_row(row: Neuron, term: EpochTerm | None, staked: dict[str, int]) -> MetagraphRow:
    return MetagraphRow(
        uid=row.uid,
        hotkey=row.hotkey_id,
        name=row.hotkey.name,
        owner=row.hotkey.owner,
        stake_rao=staked.get(row.hotkey_id, 0),
        has_permit=row.has_permit,
        consensus_u16=term.consensus_u16 if term else 0,
        incentive_u16=term.incentive_u16 if term else 0,
        dividends_u16=term.dividends_u16 if term else 0,
        validator_trust_u16=term.validator_trust_u16 if term else 0,
        last_payout_rao=term.miner_rao + term.validator_rao if term else 0,
        registered_block=row.registered_block,
    )


@dataclass(frozen=True, slots=True)
class Payout:
    netuid: int
    epoch: int
    uid: int
    closed_at: datetime
    has_permit: bool
    incentive_u16: int
    dividends_u16: int
    validator_trust_u16: int
    consensus_u16: int
    miner_rao: int
    validator_rao: int

    @property
    def payout_rao(self) -> int:
        """Return what the hotkey was paid in all."""
        return self.miner_rao + self.validator_rao


def payouts_of_hotkey(ss58: str, *, limit: int = 50) -> list[Payout]:
    """List what the last epochs paid for a hotkey, newest first."""
    terms = (
        EpochTerm.objects.filter(hotkey=ss58)
        .select_related("epoch")
        .defer("epoch__bundle", "epoch__handed_on")
        .order_by("-epoch__closed_at")[: min(limit, PAGE_MAX)]
    )
    return [_payout(term) for term in terms]


def payout_of_hotkey(ss58: str, *, netuid: int, epoch: int) -> Payout | None:
    """Return what one closed epoch paid for a hotkey; None where there is none or it did not know the hotkey."""
    term = (
        EpochTerm.objects.filter(hotkey=ss58, epoch__subnet=netuid, epoch__number=epoch)
        .select_related("epoch")
        .defer("epoch__bundle", "epoch__handed_on")
        .first()
    )
    return None if term is None else _payout(term)


def _payout(term: EpochTerm) -> Payout:
    return Payout(
        netuid=term.epoch.subnet_id,
        epoch=term.epoch.number,
        uid=term.uid,
        closed_at=term.epoch.closed_at,
        has_permit=term.has_permit,
        incentive_u16=term.incentive_u16,
        dividends_u16=term.dividends_u16,
        validator_trust_u16=term.validator_trust_u16,
        consensus_u16=term.consensus_u16,
        miner_rao=term.miner_rao,
        validator_rao=term.validator_rao,
    )


@dataclass(frozen=True, slots=True)
class NeuronStanding:
    netuid: int
    uid: int
    rank: int
    """1 is the highest incentive of the last closed epoch on the subnet."""
    stake_rao: int
    incentive_u16: int
    dividends_u16: int
    last_payout_rao: int


def standings_of_hotkey(ss58: str) -> list[NeuronStanding]:
    """Return where a hotkey stands on each of its subnets; a few statements per subnet, 128 at most."""
    found = []
    for neuron in neurons_of_hotkey(ss58):
        rows = metagraph(neuron.subnet_id)
        mine = next(row for row in rows if row.hotkey == ss58)
        found.append(
            NeuronStanding(
                netuid=neuron.subnet_id,
                uid=neuron.uid,
                rank=1 + sum(row.incentive_u16 > mine.incentive_u16 for row in rows),
                stake_rao=mine.stake_rao,
                incentive_u16=mine.incentive_u16,
                dividends_u16=mine.dividends_u16,
                last_payout_rao=mine.last_payout_rao,
            )
        )
    return found
