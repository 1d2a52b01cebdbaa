"""Dispatch on one trace of 100 000 jobs, simulated: our policy beside FIFO and least connections. No database, no clock.

The trace is drawn once from a seed: arrivals with bursts, 100 machines of 50 owners from one to eight places, an
eightfold range of speeds, some that lose one job in four, some that return rubbish quickly, and a third that come
or go on the way. Each policy sees the same jobs and the same machines, and the same luck: whether a machine fails
a job is drawn from the two of them. A sweep runs every second, as Celery's does. None gives a job to a machine
that had it, so the peers are not made to look worse than they have to.

A job that comes to nothing goes back to the queue: a lost one at its deadline, rubbish when validators have seen
it. Fairness is Jain's index over what honest machines did per second they were there and unit they could do.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np

from bench.figures import Figure
from compute import scheduling
from compute.reliability import Fault, Record
from compute.scheduling import Candidate, Wish, is_explorer

JOBS, MACHINES, OWNERS = 100_000, 100, 50
SEED = 5
LOAD = 0.7  # of what all machines that are there could do, before bursts and failures
BATCH = 200  # compute.tasks.JOBS_PER_SWEEP
DEADLINE_S, VERIFY_S = 60.0, 5.0
UNITS = (1.0, 16.0)  # of a job, log-uniform; an average machine does one unit a second
EPOCH = datetime(2026, 11, 28, tzinfo=UTC)
NETUID, KIND = 1, "matmul"
SECRET = b"bench"


@dataclass(frozen=True, slots=True)
class Rig:
    """A machine of the trace. speed: units a second; loses, lies: its chance to lose a job, to return rubbish."""

    number: int
    owner: UUID
    places: int
    speed: float
    loses: float
    lies: float
    comes_s: float
    goes_s: float

    @property
    def is_honest(self) -> bool:
        return not self.loses and not self.lies


@dataclass(frozen=True, slots=True)
class Trace:
    """What happens whatever the policy. luck: of job (row) on machine (column), below 1, used by both chances."""

    arrivals_s: np.ndarray
    units: np.ndarray
    ids: list[UUID]
    rigs: list[Rig]
    salt: np.ndarray

    def luck(self, job: int, rig: int) -> float:
        return float((self.salt[job] + rig * 0.618_033_988_75) % 1.0)


@dataclass(slots=True)
class Told:
    """What one policy came to."""

    first_s: np.ndarray
    right_s: np.ndarray
    done: np.ndarray
    first_job_s: dict[int, float] = field(default_factory=dict)
    failed_count: int = 0
    ends_s: float = 0.0


@dataclass(slots=True)
class State:
    """A machine in one run, for a policy to choose by."""

    rig: Rig
    open_count: int = 0
    is_here: bool = False
    offered_s: float | None = None
    record: Record = field(default_factory=Record)

    @property
    def is_free(self) -> bool:
        return self.is_here and self.open_count < self.rig.places


# jobs in order, what each was tried by, the machines, the trace, seconds → pairs of job and machine
Policy = Callable[
    [list[int], dict[int, set[int]], list[State], Trace, float], list[tuple[int, int]]
]


def measure() -> Iterator[Figure]:
    """Run the three policies."""
    trace = drawn(np.random.default_rng(SEED))
    policies: dict[str, Policy] = {"FIFO": first_free, "least connections": least_loaded}
    ours = run(trace, by_policy)
    peers = {name: run(trace, policy) for name, policy in policies.items()}
    for said, unit, value, at_most in FIGURES:
        mine = value(trace, ours)
        for name, told in peers.items():
            yield Figure(
                name=said,
                value=mine,
                unit=unit,
                peer=value(trace, told),
                peer_name=name,
                at_most=at_most,
            )


def drawn(rng: np.random.Generator) -> Trace:
    """Draw the trace."""
    rigs = []
    for number in range(MACHINES):
        kind = rng.random()
        comes_s, goes_s = 0.0, float("inf")
        if number % 6 == 4:
            comes_s = float(rng.uniform(200, 1_500))
        if number % 6 == 5:
            goes_s = float(rng.uniform(200, 1_500))
        rigs.append(
            Rig(
                number=number,
                owner=UUID(int=1_000 + number % OWNERS),
                places=int(rng.choice([1, 2, 4, 8])),
                speed=float(np.exp(rng.uniform(np.log(0.35), np.log(2.8)))),
                loses=0.25 if kind < 0.10 else 0.0,
                lies=0.8 if 0.10 <= kind < 0.20 else 0.0,
                comes_s=comes_s,
                goes_s=goes_s,
            )
        )
    units = np.exp(rng.uniform(*np.log(UNITS), JOBS))
    could = sum(rig.places * rig.speed for rig in rigs if rig.number % 6 < 4)
    rate = LOAD * could / units.mean()
    # A tenth of the time arrivals come four times as often; the rest makes up for it.
    gaps = rng.exponential(1 / rate, JOBS) * np.repeat(bursts(rng, JOBS // 500), 500)
    ids = [UUID(bytes=rng.bytes(16), version=4) for _ in range(JOBS)]
    return Trace(np.cumsum(gaps), units, ids, rigs, rng.random(JOBS))


def bursts(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return how much longer or shorter gaps are, one a stretch of jobs; 1 on the mean."""
    stretch = np.where(rng.random(count) < 0.25, 0.4, 1.2)
    return stretch / stretch.mean()


def run(trace: Trace, policy: Policy) -> Told:
    """Play the trace: whatever happens up to a second, then a sweep."""
    play = Play(trace)
    at_s = 0.0
    while play.left_count:
        at_s += 1.0
        play.arrive(at_s)
        play.happen(at_s)
        play.sweep(policy, at_s)
    play.told.ends_s = at_s
    return play.told


class Play:
    """One run of the trace."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.left_count = JOBS
        self.told = Told(
            first_s=np.full(JOBS, -1.0),
            right_s=np.full(JOBS, -1.0),
            done=np.zeros(MACHINES),
        )
        self._states = [State(rig) for rig in trace.rigs]
        self._queue: deque[int] = deque()
        self._tried: dict[int, set[int]] = {}
        self._events: list[tuple[float, int, str, int, int]] = []  # at, count, what, job, machine
        self._arrived_count = self._events_count = 0

    def arrive(self, at_s: float) -> None:
        """Let machines come and go, and jobs come."""
        for state in self._states:
            state.is_here = state.rig.comes_s <= at_s < state.rig.goes_s
        upto = int(np.searchsorted(self.trace.arrivals_s, at_s, side="right"))
        self._queue.extend(range(self._arrived_count, upto))
        self._arrived_count = upto

    def happen(self, at_s: float) -> None:
        """Let machines end, and validators judge."""
        while self._events and self._events[0][0] <= at_s:
            when_s, _, what, job, number = heapq.heappop(self._events)
            state, units = self._states[number], self.trace.units[job]
            if what == "ends":
                state.open_count -= 1
            elif what == "right":
                self.told.right_s[job] = when_s
                self.told.done[number] += units
                self.left_count -= 1
                note(state, None, units, at_s)
            else:
                self.told.failed_count += 1
                self._queue.appendleft(job)
                note(state, Fault.MINER, units, at_s)

    def sweep(self, policy: Policy, at_s: float) -> None:
        """Give a batch to machines; what finds none stays at the head of the queue."""
        head = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
        if not head:
            return
        matches = dict(policy(head, self._tried, self._states, self.trace, at_s))
        self._queue.extendleft(job for job in reversed(head) if job not in matches)
        for job, number in matches.items():
            self._tried.setdefault(job, set()).add(number)
            self._offer(self._states[number], job, at_s)

    def _offer(self, state: State, job: int, at_s: float) -> None:
        """Give a job to a machine, and say what is to come of it."""
        rig, luck = state.rig, self.trace.luck(job, state.rig.number)
        state.open_count += 1
        state.offered_s = at_s
        if self.told.first_s[job] < 0:
            self.told.first_s[job] = at_s
        self.told.first_job_s.setdefault(rig.number, at_s - rig.comes_s)
        # Who lies need not work.
        is_lie = luck < rig.lies
        ends_s = at_s + (0.5 if is_lie else float(self.trace.units[job]) / rig.speed)
        if luck < rig.loses or ends_s >= rig.goes_s or ends_s > at_s + DEADLINE_S:
            self._plan(at_s + DEADLINE_S, "ends", job, rig.number)
            self._plan(at_s + DEADLINE_S, "lost", job, rig.number)
            return
        self._plan(ends_s, "ends", job, rig.number)
        self._plan(ends_s + VERIFY_S, "wrong" if is_lie else "right", job, rig.number)

    def _plan(self, when_s: float, what: str, job: int, number: int) -> None:
        self._events_count += 1
        heapq.heappush(self._events, (when_s, self._events_count, what, job, number))


def note(state: State, fault: Fault | None, units: float, at_s: float) -> None:
    """Keep the record that our policy reads."""
    busy = timedelta(seconds=float(units) / state.rig.speed)
    state.record = state.record.after(fault, busy=busy, now=EPOCH + timedelta(seconds=at_s))


# --- the policies


def by_policy(
    jobs: list[int], tried: dict[int, set[int]], states: list[State], trace: Trace, at_s: float
) -> list[tuple[int, int]]:
    """Ask compute.scheduling."""
    now = EPOCH + timedelta(seconds=at_s)
    by_machine = {UUID(int=state.rig.number): state.rig.number for state in states}
    candidates = [
        Candidate(
            machine_id=UUID(int=state.rig.number),
            hotkey="",
            owner=state.rig.owner,
            netuids=frozenset({NETUID}),
            blueprints=frozenset({KIND}),
            open_count=state.open_count,
            concurrency=state.rig.places,
            last_offered_at=None
            if state.offered_s is None
            else EPOCH + timedelta(seconds=state.offered_s),
            records={KIND: state.record.at(now)},
        )
        for state in states
        if state.is_here
    ]
    wishes = [
        Wish(
            job_id=trace.ids[job],
            netuid=NETUID,
            blueprint=KIND,
            owner=UUID(int=1),
            explores=is_explorer(trace.ids[job], secret=SECRET),
            failed=frozenset(trace.rigs[number].owner for number in tried.get(job, ())),
        )
        for job in jobs
    ]
    numbers = {trace.ids[job]: job for job in jobs}
    return [
        (numbers[each.job_id], by_machine[each.machine_id])
        for each in scheduling.match(wishes, candidates, now=now)
    ]


def first_free(
    jobs: list[int], tried: dict[int, set[int]], states: list[State], _: Trace, at_s: float
) -> list[tuple[int, int]]:
    """Give each job to whichever free machine has been free for longest: one queue of jobs, one of machines."""
    return greedy(
        jobs, tried, states, lambda state, _: -1.0 if state.offered_s is None else state.offered_s
    )


def least_loaded(
    jobs: list[int], tried: dict[int, set[int]], states: list[State], _: Trace, at_s: float
) -> list[tuple[int, int]]:
    """Give each job to the machine with the fewest open, ties in the order of machines."""
    return greedy(jobs, tried, states, lambda _, open_count: float(open_count))


def greedy(
    jobs: list[int],
    tried: dict[int, set[int]],
    states: list[State],
    cost: Callable[[State, int], float],
) -> list[tuple[int, int]]:
    """Give each job in order the free machine of the lowest cost that has not had it."""
    heap = [(cost(s, s.open_count), s.rig.number, s.open_count) for s in states if s.is_free]
    heapq.heapify(heap)
    matches = []
    for job in jobs:
        passed = []
        while heap:
            entry = heapq.heappop(heap)
            if entry[1] not in tried.get(job, ()):
                break
            passed.append(entry)
        else:
            entry = None
        if entry is not None:
            _, number, open_count = entry
            matches.append((job, number))
            if open_count + 1 < states[number].rig.places:
                again = (cost(states[number], open_count + 1), number, open_count + 1)
                heapq.heappush(heap, again)
        for each in passed:
            heapq.heappush(heap, each)
    return matches


# --- what is told of a run


def there_s(trace: Trace, told: Told) -> np.ndarray:
    """Return how long each machine was there."""
    return np.array([min(r.goes_s, told.ends_s) - min(r.comes_s, told.ends_s) for r in trace.rigs])


def utilisation(trace: Trace, told: Told) -> float:
    """Return the share of all that machines could do that became right answers."""
    could = sum(
        s * r.places * r.speed for s, r in zip(there_s(trace, told), trace.rigs, strict=True)
    )
    return float(told.done.sum() / could)


def fairness(trace: Trace, told: Told) -> float:
    """Return Jain's index of honest machines' work over what they could have done; 1 is perfectly even."""
    stay = there_s(trace, told)
    x = np.array(
        [
            told.done[r.number] / (stay[r.number] * r.places * r.speed)
            for r in trace.rigs
            if r.is_honest
        ]
    )
    return float(x.sum() ** 2 / (len(x) * (x * x).sum()))


def waits(at: str, percent: float) -> Callable[[Trace, Told], float]:
    """Return a percentile of the seconds from arrival to the first offer, or to the right answer."""
    return lambda trace, told: float(np.percentile(getattr(told, at) - trace.arrivals_s, percent))


def newcomers_first_s(trace: Trace, told: Told) -> float:
    """Return how long a newcomer waited for its first job, median of those that came on the way."""
    late = [number for number in told.first_job_s if trace.rigs[number].comes_s > 0]
    return float(np.median([told.first_job_s[number] for number in late]))


FIGURES: list[tuple[str, str, Callable[[Trace, Told], float], bool]] = [
    ("utilisation: right answers of what could be done", "", utilisation, False),
    ("until the first offer, p50", "s", waits("first_s", 50), True),
    ("until the first offer, p99", "s", waits("first_s", 99), True),
    ("until the right answer, p50", "s", waits("right_s", 50), True),
    ("until the right answer, p99", "s", waits("right_s", 99), True),
    ("fairness between honest machines (Jain)", "", fairness, False),
    ("failed attempts in 100 000 jobs", "", lambda _, told: float(told.failed_count), True),
    ("a newcomer's first job, median", "s", newcomers_first_s, True),
]
