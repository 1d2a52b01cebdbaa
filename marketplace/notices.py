"""The kinds of notices: what each tells, in a sentence, and by what ways unless somebody chose otherwise. Pure.

A new kind is an entry of KINDS here, and a source of `queries.news` that finds its facts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ledger import spoken


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of notice.

    word: its name, for ever.  topic: what the event type of a webhook begins with.  label: what the page of preferences
    calls it.  sentence: with the fields of a notice's data; `…_rao` is spoken in TAO, `…_cents` in USD, `…_at` in UTC.
    path: where it leads, the auction's page or else the subnet's where empty.
    is_always_mailed: whatever somebody chose, since who got into the account would choose first.
    """

    word: str
    topic: str
    label: str
    sentence: str
    by_email: bool = False
    path: str = ""
    is_always_mailed: bool = False

    @property
    def type(self) -> str:
        """Return the event type of a webhook, such as "auction.outbid" or "offer.made"."""
        return f"{self.topic}.{self.word.removeprefix(f'{self.topic}_')}"


# fmt: off
CHANGED = (
    ("factor_added", "A second factor was added", "A second factor was added ({about})"),
    ("factor_removed", "A second factor was removed", "A second factor was removed ({about})"),
    ("codes_made", "New recovery codes were made", "New recovery codes were made in place of the old ones,"),
    ("password_changed", "Your password was changed", "Your password was changed"),
    ("email_added", "An e-mail address was added", "An e-mail address was added ({about})"),
    ("email_changed", "Your e-mail address was changed", "Your e-mail address was changed"),
    ("device_seen", "A new device signed in", "A new device signed in"),
)
# fmt: on
SECURITY = [
    Kind(
        word,
        "account",
        label,
        f"{said} from {{device}}{{where}}, {{changed_at}}. If that was not you, end all sessions and set a new password at once.",
        by_email=True,
        path="/accounts/security/",
        is_always_mailed=True,
    )
    for word, label, said in CHANGED
]
KINDS = {
    kind.word: kind
    for kind in (
        Kind(
            "outbid",
            "auction",
            "You were outbid",
            "You were outbid on {name}: the price is {price_rao}, and the auction ends {closes_at}.",
            by_email=True,
        ),
        Kind(
            "won",
            "auction",
            "You won an auction",
            "You won {name} for {price_rao}. The subnet is yours.",
            by_email=True,
        ),
        Kind(
            "lost",
            "auction",
            "Somebody else won an auction you bid in",
            "The auction of {name} ended at {price_rao} and somebody else won. Nothing of yours is set aside for it.",
        ),
        Kind(
            "unsold",
            "auction",
            "An auction ended without a sale",
            "The auction of {name} ended without a sale. Nothing is set aside for it any more.",
        ),
        Kind(
            "cancelled",
            "auction",
            "An auction was withdrawn",
            "The auction of {name} was withdrawn. Nothing is set aside for it any more.",
        ),
        Kind(
            "called_off",
            "auction",
            "An auction was called off",
            "An operator called the auction of {name} off; the subnet stays with its seller. "
            "Nothing is set aside for it any more. The reason given: “{reason}”.",
            by_email=True,
        ),
        Kind(
            "voided",
            "auction",
            "An operator took your bids out of an auction",
            "An operator took your bids out of the auction of {name}, and you can bid there no more. "
            "Nothing of yours is set aside for it any more. The reason given: “{reason}”.",
            by_email=True,
        ),
        Kind(
            "leading_again",
            "auction",
            "You lead again because an operator took somebody out",
            "An operator took a bidder out of the auction of {name}, and you lead at {price_rao}: what backs your maximum "
            "is set aside again. The auction ends {closes_at}.",
            by_email=True,
        ),
        Kind(
            "payment_due",
            "auction",
            "You won an auction and have to pay for it",
            "You won {name} for {price_rao}. Pay until {due_at}, or your deposit is lost.",
            by_email=True,
        ),
        Kind(
            "second_chance",
            "auction",
            "A winner did not pay, and you may buy",
            "The winner of {name} did not pay. You may have it for {price_rao} until {expires_at}; you owe nothing if you do not.",
            by_email=True,
        ),
        Kind(
            "struck",
            "auction",
            "You did not pay for an auction you won",
            "You did not pay for {name} in time. Your deposit of {forfeited_rao} is lost, and a strike stands against you.",
            by_email=True,
        ),
        Kind(
            "opened",
            "auction",
            "A subnet you watch is for sale",
            "{name} is for sale from {start_rao}, until {closes_at}.",
        ),
        Kind(
            "ending_day",
            "auction",
            "An auction ends within a day",
            "The auction of {name} ends {closes_at}.",
        ),
        Kind(
            "ending_hour",
            "auction",
            "An auction ends within an hour",
            "The auction of {name} ends {closes_at}.",
            by_email=True,
        ),
        Kind(
            "ending_soon",
            "auction",
            "An auction ends within ten minutes",
            "The auction of {name} ends {closes_at}.",
        ),
        Kind(
            "sold",
            "sale",
            "Your subnet was sold",
            "You sold {name} for {price_rao}; {earned_rao} of it came to your wallet.",
            by_email=True,
        ),
        Kind("bought", "sale", "You bought a subnet", "You bought {name} for {price_rao}."),
        Kind(
            "changed_hands",
            "sale",
            "A subnet you watch was sold",
            "{name} was sold for {price_rao}.",
        ),
        Kind(
            "rule_published",
            "rule",
            "A rule was published where you mine, validate, watch or own",
            "{name} published version {version} of its rule. It pays by it from epoch {from_epoch} on.",
        ),
        Kind(
            "offer_made",
            "offer",
            "Somebody offers for your subnet",
            "You are offered {amount_rao} for {name}, until {expires_at}.",
            by_email=True,
            path="/offers/{offer_id}/",
        ),
        Kind(
            "offer_countered",
            "offer",
            "The other side of an offer names another amount",
            "The other side now names {amount_rao} for {name}, until {expires_at}.",
            by_email=True,
            path="/offers/{offer_id}/",
        ),
        Kind(
            "offer_accepted",
            "offer",
            "The other side of an offer accepts",
            "Your {amount_rao} for {name} was accepted. The subnet changed hands.",
            by_email=True,
            path="/offers/{offer_id}/",
        ),
        Kind(
            "offer_declined",
            "offer",
            "The other side of an offer declines",
            "Your {amount_rao} for {name} was declined. Nothing is set aside for it any more.",
            by_email=True,
            path="/offers/{offer_id}/",
        ),
        Kind(
            "offer_withdrawn",
            "offer",
            "An offer for your subnet is taken back",
            "The offer of {amount_rao} for {name} was taken back.",
            path="/offers/{offer_id}/",
        ),
        Kind(
            "offer_lapsed",
            "offer",
            "An offer ends without an answer",
            "The offer for {name} ended at {amount_rao}: nobody answered in time. Nothing is set aside for it any more.",
            path="/offers/{offer_id}/",
        ),
        Kind(
            "offer_superseded",
            "offer",
            "A subnet you offered for was sold otherwise",
            "{name} was sold otherwise, so your offer ended. Nothing is set aside for it any more.",
            path="/offers/{offer_id}/",
        ),
        Kind(
            "withdrawal_requested",
            "withdrawal",
            "A withdrawal was asked for",
            "{name} of {held_rao} waits for approval. If you did not ask for it, cancel it and change your password.",
            by_email=True,
            path="/wallet/withdrawals/{withdrawal_id}/",
        ),
        Kind(
            "withdrawal_approved",
            "withdrawal",
            "A withdrawal was approved",
            "{name} of {held_rao} was approved and is sent next.",
            path="/wallet/withdrawals/{withdrawal_id}/",
        ),
        Kind(
            "withdrawal_sent",
            "withdrawal",
            "A withdrawal was sent",
            "{name} of {held_rao} was sent.",
            by_email=True,
            path="/wallet/withdrawals/{withdrawal_id}/",
        ),
        Kind(
            "withdrawal_arrived",
            "withdrawal",
            "A withdrawal arrived",
            "{name} of {held_rao} has arrived.",
            path="/wallet/withdrawals/{withdrawal_id}/",
        ),
        Kind(
            "withdrawal_returned",
            "withdrawal",
            "A withdrawal came back",
            "{name} of {held_rao} did not arrive, and the money is in your wallet again. The reason: “{reason}”.",
            by_email=True,
            path="/wallet/withdrawals/{withdrawal_id}/",
        ),
        Kind(
            "withdrawal_bank_refused",
            "withdrawal",
            "A bank sent your dollars back to Stripe",
            "{name} of {arrives_cents} reached Stripe, and your bank sent it back there. It is in your account at Stripe: "
            "name another bank there, and Stripe pays it out again.",
            by_email=True,
            path="/wallet/withdrawals/{withdrawal_id}/",
        ),
        Kind(
            "withdrawal_account_stopped",
            "withdrawal",
            "Stripe pays nothing out of your account",
            "{name} pays nothing out to your bank for now, because Stripe needs something of you. Go on at Stripe to see what; "
            "dollars wait until then.",
            by_email=True,
            path="/wallet/places/",
        ),
        Kind(
            "withdrawal_refused",
            "withdrawal",
            "A withdrawal was refused",
            "{name} of {held_rao} was refused, and the money is in your wallet again. The reason given: “{reason}”.",
            by_email=True,
            path="/wallet/withdrawals/{withdrawal_id}/",
        ),
        Kind(
            "withdrawal_address_added",
            "withdrawal",
            "An address was added that your money may go to",
            "{name} has a new address, “{label}”. If you did not add it, remove it and change your password.",
            by_email=True,
            path="/wallet/places/",
        ),
        Kind(
            "withdrawal_account_changed",
            "withdrawal",
            "Your account at Stripe is new, or its bank changed",
            "{name} is new or pays out to another bank, so dollars wait for a while. If that was not you, tell us and change your password.",
            by_email=True,
            path="/wallet/places/",
        ),
        Kind(
            "payment_refunded",
            "payment",
            "A card payment was given back because its bank called it fraud",
            "{name} of {amount_cents} was given back to its card, {refunded_cents} in all so far, because the card’s bank said "
            "that it was fraud; what it bought was taken back. If you paid it, ask your bank to correct that before you pay again.",
            by_email=True,
            path="/wallet/",
        ),
        Kind(
            "debt_forgiven",
            "debt",
            "What you owed for a card payment was forgiven",
            "{name} of {forgiven_rao} is forgiven: nothing is taken for it of what comes into your wallet.",
            by_email=True,
            path="/wallet/",
        ),
        *SECURITY,
    )
}
WORDS = sorted(KINDS)


def stoppable(kinds: Iterable[str]) -> list[str]:
    """Return those of some kinds whose mail somebody may stop, each once."""
    return sorted({kind for kind in kinds if kind in KINDS and not KINDS[kind].is_always_mailed})


def sentence(kind: str, data: Mapping[str, Any]) -> str:
    """Say a notice in a sentence. A kind that is no longer known, or lacks a figure, is named by its subject."""
    known = KINDS.get(kind)
    try:
        return known.sentence.format_map({**data, **_spoken(data)}) if known else _plainly(data)
    except KeyError:
        return _plainly(data)


def path(kind: str, *, netuid: int | None, auction_id: object, data: Mapping[str, Any]) -> str:
    """Return where on the site a notice leads."""
    known = KINDS.get(kind)
    if known and known.path:
        return known.path.format_map(data)
    if auction_id:
        return f"/auctions/{auction_id}/"
    return f"/subnets/{netuid}/" if netuid else "/notices/"


def _spoken(data: Mapping[str, Any]) -> dict[str, str]:
    """Put money and instants as people say them."""
    known = {name: value for name, value in data.items() if value is not None}
    said = {name: f"{spoken.tao(int(known[name]))} TAO" for name in known if name.endswith("_rao")}
    for name in (name for name in known if name.endswith("_cents")):
        said[name] = f"{spoken.dollars(int(known[name]))} USD"
    for name in (name for name in known if name.endswith("_at")):
        said[name] = spoken.instant(datetime.fromisoformat(known[name]))
    return said


def _plainly(data: Mapping[str, Any]) -> str:
    return f"There is news of {data.get('name', 'a subnet')}."
