"""Which machine gets which job: a pure choice over what is known now.

A machine may have a job when it can run the blueprint, is registered on the subnet, has a free place and does not
rest; when its owner neither ordered the job nor failed it. Among those a consumer's job goes where a right answer
is to be expected soonest (`_Seat.cost`): load, what the owner got lately against its places, and trust. Of these
jobs one in EXPLORED_OF goes to a newcomer first, so that whoever joins can prove itself, and at most that share
of paid work is risked on it. Known-answer jobs go to whoever waited longest: they are there to measure everybody.

There is no price in it: a job's price is its blueprint's, and no miner asks for another.
"""

import hashlib
import heapq
import hmac
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from compute.deadlines import Hardware
from compute.reliability import UNKNOWN, Record

EXPLORED_OF = 10  # one paid job in ten may go to somebody unproven
# A known-answer job waits as if it had come so much later: behind what is paid, and never for ever.
CANARY_BEHIND = timedelta(seconds=30)
# Owners above twice their part are not pushed back further: the work has to be done by somebody.
FAIR_MAX = 2.0

BACK_OFF = timedelta(seconds=1)  # after the first failure; doubled by each that follows
BACK_OFF_DOUBLINGS_MAX = 5


@dataclass(frozen=True, slots=True)
class Candidate:
    """A live machine: how many leases it holds open, how many it can, when it last got one, and what it did.

    records: blueprint → what it did lately, as of now. measured: subnets beyond `netuids` of whose models it answers some,
    though not the one that orders are asked of.
    """

    machine_id: UUID
    hotkey: str
    owner: UUID
    netuids: frozenset[int]
    blueprints: frozenset[str]
    open_count: int
    concurrency: int
    last_offered_at: datetime | None
    records: Mapping[str, Record] = field(default_factory=dict)
    hardware: Hardware = Hardware.SMALL
    measured: frozenset[int] = frozenset()

    @property
    def reached(self) -> frozenset[int]:
        """Return every subnet of which some job can reach it."""
        return self.netuids | self.measured


@dataclass(frozen=True, slots=True)
class Wish:
    """A queued job: what it needs, and who had it.

    owner: who ordered it, None for a known-answer job. failed: owners that failed it, who never get it again.
    had: owners that had it without a fault of theirs, who get it again only where nobody else can.
    explores: it goes to a newcomer first (see is_explorer). measures: it may be asked of any model of its subnet.
    """

    job_id: UUID
    netuid: int
    blueprint: str
    owner: UUID | None
    failed: frozenset[UUID] = frozenset()
    had: frozenset[UUID] = frozenset()
    explores: bool = False
    measures: bool = False


def is_explorer(job_id: UUID, *, secret: bytes) -> bool:
    """Say whether a paid job goes to a newcomer first, the same each time.

    The coin is keyed: a proven machine that could tell which jobs explore would know that one of those, come to
    it, is a known-answer job.
    """
    seal = hmac.digest(secret, b"explore:" + job_id.bytes, hashlib.sha256)
    return int.from_bytes(seal[:8]) % EXPLORED_OF == 0


@dataclass(frozen=True, slots=True)
class Match:
    job_id: UUID
    machine_id: UUID
    hotkey: str


def turn_at(*, queued_at: datetime, is_canary: bool) -> datetime:
    """Return the instant by which queued jobs are ordered. It never moves, so whoever waits is served in the end."""
    return queued_at + CANARY_BEHIND if is_canary else queued_at


def back_off(attempts_count: int) -> timedelta:
    """Return how long a job waits after so many attempts that came to nothing, 1 at least."""
    assert attempts_count > 0, "who has not tried does not wait"
    return BACK_OFF * (1 << min(attempts_count - 1, BACK_OFF_DOUBLINGS_MAX))


def match(
    wishes: Sequence[Wish], candidates: Collection[Candidate], *, now: datetime
) -> list[Match]:
    """Give each job, in order, the best machine that is left; a job without one stays queued."""
    fairness = _fairness(candidates)
    seats = [_Seat(candidate, fairness[candidate.owner]) for candidate in candidates]
    lanes: dict[tuple[int, str, bool], _Lane] = {}
    matches = []
    for wish in wishes:
        place = (wish.netuid, wish.blueprint, wish.measures)
        lane = lanes.get(place)
        if lane is None:
            lane = lanes[place] = _Lane(seats, wish, now=now)
        seat = lane.choose(wish)
        if seat is None:
            continue
        seat.take(now)
        for each in lanes.values():
            each.put(seat)
        matches.append(Match(wish.job_id, seat.machine.machine_id, seat.machine.hotkey))
    return matches


def within_places(
    matches: Iterable[Match], candidates: Iterable[Candidate], open_counts: Mapping[UUID, int]
) -> list[Match]:
    """Keep the matches for which their machines have places, in order. open_counts: machine → leases open by now."""
    places = {each.machine_id: each.concurrency for each in candidates}
    taken = dict(open_counts)
    kept = []
    for one in matches:
        taken[one.machine_id] = taken.get(one.machine_id, 0) + 1
        if taken[one.machine_id] <= places[one.machine_id]:
            kept.append(one)
    return kept


def _fairness(candidates: Iterable[Candidate]) -> dict[UUID, float]:
    """Return owner → the time it held leases lately per place, against everybody's; 1 is its part."""
    busy: dict[UUID, int] = {}
    places: dict[UUID, int] = {}
    for each in candidates:
        held_ms = sum(record.busy_ms for record in each.records.values())
        busy[each.owner] = busy.get(each.owner, 0) + held_ms
        places[each.owner] = places.get(each.owner, 0) + each.concurrency
    part = sum(busy.values()) / max(1, sum(places.values()))
    return {
        owner: min(FAIR_MAX, held_ms / places[owner] / part) if part else 0.0
        for owner, held_ms in busy.items()
    }


class _Seat:
    """A machine while a batch is matched. version: rises with every offer, so that older heap entries are stale."""

    __slots__ = ("fairness", "last_offered_s", "machine", "open_count", "version")

    def __init__(self, machine: Candidate, fairness: float) -> None:
        self.machine = machine
        self.fairness = fairness
        self.open_count = machine.open_count
        # Who never had work has waited longest of all.
        offered_at = machine.last_offered_at
        self.last_offered_s = offered_at.timestamp() if offered_at else float("-inf")
        self.version = 0

    @property
    def is_free(self) -> bool:
        return self.open_count < self.machine.concurrency

    def take(self, now: datetime) -> None:
        self.open_count += 1
        self.last_offered_s = now.timestamp()
        self.version += 1

    def record(self, blueprint: str) -> Record:
        return self.machine.records.get(blueprint, UNKNOWN)

    def cost(self, blueprint: str) -> float:
        """Return the turns until a right answer: one, and what load and more than the fair part add, as often as it may take.

        An unproven machine counts as full and as far above its part, so that it comes behind every one that is
        trusted more, and before those that proved bad.
        """
        record = self.record(blueprint)
        load = self.open_count / self.machine.concurrency
        pushed_back = 1 + FAIR_MAX if record.is_newcomer else self.fairness
        return (1 + load + pushed_back) / record.trust


Entry = tuple[float, float, UUID, int, _Seat]  # what decides, in order; the version it was made at


class _Lane:
    """The machines that may do one kind of work on one subnet, in three orders. Entries go stale and are dropped when met."""

    def __init__(self, seats: Iterable[_Seat], wish: Wish, *, now: datetime) -> None:
        self._blueprint = blueprint = wish.blueprint
        self._members = {
            seat.machine.machine_id
            for seat in seats
            if wish.netuid in (seat.machine.reached if wish.measures else seat.machine.netuids)
            and blueprint in seat.machine.blueprints
            and not _rests(seat.record(blueprint), now)
        }
        self._best: list[Entry] = []
        self._newcomers: list[Entry] = []
        self._waiting: list[Entry] = []
        for seat in seats:
            self.put(seat)

    def put(self, seat: _Seat) -> None:
        """Enter a machine as it stands now, if it belongs here and has a free place."""
        if not seat.is_free or seat.machine.machine_id not in self._members:
            return
        cost, waits = seat.cost(self._blueprint), seat.last_offered_s
        tail = (seat.machine.machine_id, seat.version, seat)
        heapq.heappush(self._best, (cost, waits, *tail))
        heapq.heappush(self._waiting, (waits, cost, *tail))
        # One unproven job at a time: who fails it has spoilt one.
        if seat.open_count == 0 and seat.record(self._blueprint).is_newcomer:
            heapq.heappush(self._newcomers, (waits, cost, *tail))

    def choose(self, wish: Wish) -> _Seat | None:
        """Return the machine for a job; it has to take it."""
        if wish.owner is None:
            return _pick(self._waiting, wish)
        if wish.explores and (newcomer := _pick(self._newcomers, wish)):
            return newcomer
        return _pick(self._best, wish)


def _pick(entries: list[Entry], wish: Wish) -> _Seat | None:
    """Return the first machine that may have the job: one whose owner had it before only if there is no other."""
    again = _first(entries, lambda owner: owner not in wish.failed and owner != wish.owner)
    if again is None or again.machine.owner not in wish.had:
        return again
    barred = wish.failed | wish.had
    return _first(entries, lambda owner: owner not in barred and owner != wish.owner) or again


def _first(entries: list[Entry], may: Callable[[UUID], bool]) -> _Seat | None:
    """Return the first machine whose owner may; those passed over stay for the jobs that follow."""
    passed: list[Entry] = []
    found = None
    while entries and found is None:
        *_, version, seat = entry = heapq.heappop(entries)
        if version != seat.version or not seat.is_free:
            continue
        passed.append(entry)
        if may(seat.machine.owner):
            found = seat
    for entry in passed:
        heapq.heappush(entries, entry)
    return found


def _rests(record: Record, now: datetime) -> bool:
    return record.rests_until is not None and record.rests_until > now
