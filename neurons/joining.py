"""Become part of the network: link the hotkey to its account, register where asked, once."""

from dataclasses import dataclass

from neurons.amounts import format_tao
from neurons.client import Client, Refused
from neurons.running import Say
from neurons.wire import Standing


@dataclass(frozen=True, slots=True)
class Membership:
    """Who this neuron is to be, and where."""

    name: str
    netuids: tuple[int, ...]
    code: str | None
    max_burn_rao: int


def join(client: Client, membership: Membership, *, say: Say) -> list[Standing]:
    """Link and register as far as needed; answer how the hotkey stands. Replays cost nothing.

    Raises: Refused (hotkey_not_linked without a code, burn above the limit, too little in the wallet).
    """
    standings = linked_standings(client, membership, say=say)
    missing = [n for n in membership.netuids if n not in {each.netuid for each in standings}]
    for netuid in missing:
        registration = client.register(netuid=netuid, max_burn_rao=membership.max_burn_rao)
        say(
            "registered",
            netuid=netuid,
            uid=registration.uid,
            burn_tao=format_tao(registration.burn_rao),
        )
    return client.standings() if missing else standings


def linked_standings(client: Client, membership: Membership, *, say: Say) -> list[Standing]:
    """Fetch the standings, linking the hotkey first when it is not linked and there is a code."""
    try:
        return client.standings()
    except Refused as refusal:
        if refusal.code != "hotkey_not_linked" or membership.code is None:
            raise
    owner = client.link(code=membership.code, name=membership.name)
    say("linked", hotkey=client.keypair.ss58_address, account=owner)
    return client.standings()
