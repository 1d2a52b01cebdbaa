"""What the tests of tabs, till and journal share: terms, lines, and books without a database that refuse what theirs refuse."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from compute import serving
from compute.errors import SpendingLimitReached, TabUnknown
from compute.reservations import Payer
from compute.serving import Kind, ModelTerms, Outcome, UsageRecord
from ledger.errors import InsufficientFunds

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TERMS = ModelTerms(
    name="echo",
    netuid=1,
    kind=Kind.CHAT,
    context_tokens_max=8_192,
    output_tokens_max=1_024,
    input_rao_per_mtok=1_000_000,
    output_rao_per_mtok=4_000_000,
    free_tokens_per_day=0,
)
HOTKEY = "5F3sa2TJAWMqDhXG6jhV4N8ko9SxwGy8TpaNS1repo5EYjQX"


def payer(*, limit_rao=None, owner=None, key_id=None):
    return Payer(owner or uuid4(), key_id or uuid4().hex[:16], limit_rao)


def line(*, tab=None, price_rao=0, who=None, **facts):
    """Make one line as the till makes it."""
    who = who or payer()
    said = {
        "id": uuid4(),
        "tab": tab,
        "owner": who.owner,
        "payer": who.key_id,
        "model": "echo",
        "netuid": 1,
        "hotkey": HOTKEY,
        "outcome": Outcome.DONE,
        "prompt_tokens": 10,
        "completion_tokens": 20,
        "price_rao": price_rao,
        "attempts_count": 1,
        "first_token_ms": 80,
        "duration_ms": 900,
        "began_at": NOW,
        "answer_digest": "ab" * 32,
        "signature": "0x" + "cd" * 64,
    }
    return UsageRecord(**(said | facts))


async def used(till, reservation, *, prompt_tokens=10, completion_tokens=20, outcome=Outcome.DONE):
    """Finish a request with so many tokens; return its line."""
    record = reservation.record(
        outcome=outcome,
        hotkey=HOTKEY,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        attempts_count=1,
        first_token_ms=80,
        duration_ms=900,
    )
    till.finish(reservation, record)
    return record


async def reserved(till, who, *, terms=TERMS, prompt_bytes=100, output_tokens=100, now=NOW):
    return await till.reserve(
        who,
        terms,
        prompt_bytes=prompt_bytes,
        output_tokens=output_tokens,
        request_id=uuid4(),
        now=now,
    )


class MemoryBooks:
    """One wallet for everybody, in memory, by the rules of `operations.tabs`; `is_away` fails every call."""

    def __init__(self, wallet_rao=10**9):
        self.wallet_rao = wallet_rao
        self.held = {}
        self.usages = {}
        self.settled = {}
        self.calls = []
        self.is_away = False
        self.free_used = 0

    def called(self, what):
        if self.is_away:
            raise ConnectionError(what)
        self.calls.append(what)

    async def open_tab(self, tab_id, payer, *, need_rao, now):
        self.called("open_tab")
        spent_rao = sum(self.settled.values()) + sum(self.held.values())
        left_rao = None if payer.spend_limit_rao is None else payer.spend_limit_rao - spent_rao
        if left_rao is not None and left_rao < need_rao:
            raise SpendingLimitReached(
                limit_rao=payer.spend_limit_rao, spent_rao=spent_rao, resets_at=now + timedelta(1)
            )
        available_rao = self.wallet_rao - sum(self.held.values())
        if available_rao < need_rao:
            raise InsufficientFunds(needed_rao=need_rao, available_rao=available_rao)
        self.held[tab_id] = serving.tab_size_rao(
            need_rao=need_rao, available_rao=available_rao, left_rao=left_rao
        )
        return self.held[tab_id]

    async def free_tokens_used(self, owner, model, day):
        self.called("free_tokens_used")
        return self.free_used

    async def record_usages(self, records, *, now):
        self.called("record_usages")
        for record in records:
            assert record.tab is None or record.tab in self.held, "a line comes before settlement"
            self.usages.setdefault(record.id, record)

    async def settle_tab(self, tab_id, *, now):
        self.called("settle_tab")
        if tab_id in self.settled:
            return
        if tab_id not in self.held:
            raise TabUnknown(tab_id=tab_id)
        spent_rao = sum(row.price_rao for row in self.usages.values() if row.tab == tab_id)
        assert spent_rao <= self.held.pop(tab_id), "a tab pays at most what it holds"
        self.wallet_rao -= spent_rao
        self.settled[tab_id] = spent_rao

    async def sync(self, journal):
        journal.sync()
