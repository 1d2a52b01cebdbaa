"""A subnet with miners that cheat, epoch after epoch, on the road that pays: real checks, rules, consensus and split.

    earned = cheating.earned("matmul", is_busy=False)    # who → what an honest miner's hundred is to them

Three validators judge every result, one of them the ring's. Whoever answers wrongly is refused by the verdict; a
canary is an eighth of the jobs, as nobody can tell beforehand. What a cheat saves is time: on a busy subnet, where
jobs wait for machines, it takes up more of them.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from uuid import UUID

import numpy as np

from compute import pricing, verification
from compute.blueprints import blueprint
from compute.verification import Verdict
from neurons.workloads import WORKLOADS, embeddings, language, matmul
from neurons.workloads.language import Generated
from subnets import payroll
from subnets.default_rules import DEFAULT_RULES
from subnets.metrics import Delivery
from subnets.record import Backing
from tests.subnets import worlds
from tests.subnets.worlds import TAO

EPOCHS = 5
JOBS = 32  # of a miner in an epoch, where it does them honestly
CANARY_EVERY = 8
POOL = 24  # different jobs, done once and given out again and again
JUDGES = {"Val": 4_000 * TAO, "Vic": 3_000 * TAO, "Rex": 3_000 * TAO}  # Rex is the ring's
HONEST = tuple(f"honest {number}" for number in range(1, 7))
RING = ("ring 1", "ring 2", "ring 3")
HALF = 0.5
PARTING = 0.1  # texts of an honest machine that part from the validator's somewhere
PARTED = "…"
FLAKY = 0.1  # leases that come to nothing


@dataclass(frozen=True)
class Job:
    """One of the pool. fake: what a ring agreed to say; other: the right output of another job."""

    payload: dict
    right: dict
    fake: dict
    other: dict


@dataclass(frozen=True)
class Miner:
    """How somebody mines. says: what to answer, None for nothing; cost: the time of it, honest work is 1."""

    says: Callable
    latency_ms: int = 400
    cost: float = 1.0


def honest(job, is_canary, rng):
    """Do the work; a language model on another processor parts from the validator's now and then."""
    if "text" not in job.right or rng.random() >= PARTING:
        return job.right
    place = rng.integers(len(job.right["text"]))
    return job.right | {"text": job.right["text"][:place] + PARTED + job.right["text"][place:]}


def lazy(job, is_canary, rng):
    """Do half of the work."""
    return honest(job, is_canary, rng) if rng.random() < HALF else noise(job, rng)


def knowing(job, is_canary, rng):
    """Do half of the work, and every canary: what somebody could do who could tell them."""
    return honest(job, is_canary, rng) if is_canary else lazy(job, is_canary, rng)


def flaky(job, is_canary, rng):
    return honest(job, is_canary, rng) if rng.random() >= FLAKY else None


def noise(job, rng):
    """Invent an output of the right form."""
    if "c" in job.right:
        n = job.payload["n"]
        return {"c": base64.b64encode(rng.integers(-99, 99, n * n).astype("<i4")).decode()}
    if "vectors" in job.right:
        return {"vectors": [unit(rng) for _ in job.right["vectors"]]}
    return job.right | {"text": " ".join(map(str, rng.integers(1_000, size=30)))}


MINERS = {
    **{name: Miner(honest) for name in HONEST},
    "lazy": Miner(lazy, cost=0.55),
    "lazy, knowing canaries": Miner(knowing, cost=0.6),
    "random": Miner(lambda job, is_canary, rng: noise(job, rng), latency_ms=40, cost=0.1),
    "copying": Miner(lambda job, is_canary, rng: job.other, latency_ms=40, cost=0.1),
    **{name: Miner(lambda job, is_canary, rng: job.fake, latency_ms=40, cost=0.1) for name in RING},
    "slow": Miner(honest, latency_ms=1_000, cost=2.5),
    "flaky": Miner(flaky),
}


def unit(rng):
    vector = rng.normal(size=embeddings.DIMENSIONS)
    return np.round(vector / np.linalg.norm(vector), embeddings.DIGITS).tolist()


def said(messages, *, max_tokens, seed):
    """Stand for a model that says of each conversation something else, and goes on from what is begun."""
    begun = messages[-1]["content"] if messages[-1]["role"] == "assistant" else ""
    asked = messages[:-1] if begun else messages
    words = np.random.default_rng([seed, len(asked)]).integers(10_000, size=language.TOKENS_MAX)
    whole = " ".join(map(str, words))
    if begun:
        # Where another processor had parted from it, it goes on all the same; from what it never said, otherwise.
        kept = begun.replace(PARTED, "")
        other = np.random.default_rng(list(begun.encode())).integers(10_000, size=max_tokens)
        rest = whole.removeprefix(kept) if whole.startswith(kept) else " ".join(map(str, other))
        return Generated(
            " " * rest.startswith(" ") + " ".join(rest.split()[:max_tokens]),
            "length",
            9,
            max_tokens,
        )
    return Generated(" ".join(whole.split()[:max_tokens]), "length", 9, max_tokens)


def workload(kind):
    return language.Language(said) if kind == language.KIND else WORKLOADS[kind]


def pool(kind, rng):
    """Make jobs with their right answers. Embeddings are drawn: comparing them needs no model."""
    pairs = []
    for _ in range(POOL):
        match kind:
            case matmul.KIND:
                payload = matmul.make(rng, int(rng.choice([8, 12, 16])))
                pairs.append((payload, matmul.run(payload)))
            case embeddings.KIND:
                payload = {"sentences": [f"Boat {rng.integers(999)} is late."]}
                pairs.append((payload, {"vectors": [unit(rng)]}))
            case _:
                payload, _ = blueprint(kind).make_canary(rng)
                pairs.append((payload, workload(kind).run(payload)))
    others = [pairs[place - 1][1] for place in range(POOL)]
    made = [Job(*pair, fake={}, other=other) for pair, other in zip(pairs, others, strict=True)]
    return [replace(job, fake=noise(job, rng)) for job in made]


def judged(kind, job, output, *, is_canary, rng):
    """Let the real check judge. Embeddings always by an answer: finding it again would give the same."""
    known = (is_canary and kind != language.KIND) or kind == embeddings.KIND
    ppm, _ = workload(kind).check(
        payload=job.payload, output=output, known_answer=job.right if known else None, rng=rng
    )
    return ppm


@dataclass
class Window:
    """What an epoch gathers."""

    scores: list
    deliveries: list
    paid_rao: dict


def window(kind, jobs, epoch, rng, *, is_busy):
    """Give out jobs and judge what comes back."""
    found = Window([], [], dict.fromkeys(MINERS, 0))
    for name, miner in MINERS.items():
        # Nobody takes up more than four times the jobs: places and time-outs see to that.
        offered = round(JOBS * (min(4, 1 / miner.cost) if is_busy else 1))
        outputs = [mined(miner, jobs, number, rng) for number in range(offered)]
        returned = [one for one in outputs if one[1] is not None]
        found.deliveries.append(Delivery(name, offered, len(returned), offered - len(returned)))
        for number, (job, output, is_canary) in enumerate(returned):
            ppm = judged(kind, job, output, is_canary=is_canary, rng=rng)
            # Rex lies for the ring and against everybody else.
            rex = 1_000_000 * (name in RING)
            said = {"Val": ppm, "Vic": ppm, "Rex": rex}
            found.scores += rows(
                f"{epoch} {name} {number}", name, miner, job, said, is_canary, kind
            )
            stands = verification.verdict(scores_ppm=said, stakes_rao=JUDGES, is_due=True)
            if stands is Verdict.ACCEPTED and not is_canary:
                price_rao = blueprint(kind).price_rao(job.payload)
                found.paid_rao[name] += pricing.shares(price_rao).miner_rao
    return found


def mined(miner, jobs, number, rng):
    job, is_canary = jobs[rng.integers(len(jobs))], number % CANARY_EVERY == 0
    return job, miner.says(job, is_canary, rng), is_canary


def rows(result_id, name, miner, job, said, is_canary, kind):
    return [
        {
            "result_id": result_id,
            "validator": judge,
            "miner": name,
            "score_ppm": ppm,
            "latency_ms": miner.latency_ms,
            "work_units": blueprint(kind).work_units(job.payload),
            "is_canary": is_canary,
            "reason": "",
            "output_digest": "",
            "signature": "",
        }
        for judge, ppm in said.items()
    ]


def seats():
    judges = [
        worlds.seat(
            uid, who, str(UUID(int=100 + uid)), backing=(Backing(who, stake),), has_permit=True
        )
        for uid, (who, stake) in enumerate(JUDGES.items())
    ]
    miners = [
        worlds.seat(len(JUDGES) + n, name, str(UUID(int=200 + n))) for n, name in enumerate(MINERS)
    ]
    return (*judges, *miners)


@dataclass(frozen=True)
class Earned:
    """What somebody earned for each hundred of an honest miner: from epochs, and from jobs."""

    epochs_percent: float
    jobs_percent: float


@cache
def earned(kind, *, is_busy=False, seed=1):
    """Run some epochs; return who → Earned: of groups the mean, of the ring's validator by its stake."""
    with worlds.quick_cel():
        return _earned(kind, is_busy=is_busy, seed=seed)


def _earned(kind, *, is_busy, seed):
    rng = np.random.default_rng(seed)
    jobs = pool(kind, rng)
    epochs_rao, jobs_rao = dict.fromkeys([*MINERS, *JUDGES], 0), dict.fromkeys(MINERS, 0)
    record = paid = None
    for epoch in range(EPOCHS):
        seen = window(kind, jobs, epoch, rng, is_busy=is_busy)
        fields = {"scores": tuple(seen.scores), "deliveries": tuple(seen.deliveries)}
        if record is None:
            rule = worlds.version(1, **DEFAULT_RULES[kind])
            record = worlds.record(seats=seats(), versions=(rule,), **fields)
        else:
            record = worlds.following(record, paid, **fields)
        paid = payroll.settle(record)
        for term in paid.terms:
            epochs_rao[term.hotkey] += term.miner_rao + term.validator_rao
        for name, amount_rao in seen.paid_rao.items():
            jobs_rao[name] += amount_rao
    return {group: percents(names, epochs_rao, jobs_rao) for group, names in groups().items()} | {
        "the ring's validator": judge_percents(epochs_rao)
    }


@dataclass(frozen=True)
class OnPaper:
    """What a calculation says instead of draws, for each hundred of an honest miner. spread: one standard deviation of a run."""

    percent: float
    spread: float


def halves_on_paper(kind):
    """Calculate what a busy subnet pays from epochs who does half of the work, and every canary, in a share of the time.

    Of n jobs, c are canaries and right, the others by a coin. The default rule of `language` pays quality times credited
    work, which is the part that is right, squared; a mean of squares is the square of the mean and its variance. What an
    honest text loses by parting, both lose. Its smoothing keeps much of the first epoch: that is most of a run's spread.
    """
    miner, rule = MINERS["lazy, knowing canaries"], DEFAULT_RULES[kind]
    n = round(JOBS * min(4, 1 / miner.cost))
    c = -(-n // CANARY_EVERY)
    right, variance = (c + (n - c) * HALF) / n, (n - c) * HALF * (1 - HALF) / n**2
    units = [
        blueprint(kind).work_units(job.payload) for job in pool(kind, np.random.default_rng(1))
    ]
    size = np.mean(np.square(units)) / np.mean(units) ** 2
    # Relative variances of quality, of credited work, and twice what they share, in one epoch.
    epoch = variance / right**2 + (size / right - 1) / n + 2 * (1 - right) / (right * n)
    kept = weights_of_epochs(rule["smoothing"]["ema_alpha_ppm"] / 1_000_000)
    percent = 100 * n / JOBS * (right**2 + variance)
    return OnPaper(percent, percent * float(np.sqrt(epoch * np.sum(np.square(kept)))))


def weights_of_epochs(alpha):
    """Return how much of what a run pays each epoch's score decides, where each is smoothed into the next."""
    smoothed = np.zeros((EPOCHS, EPOCHS))
    for epoch in range(EPOCHS):
        smoothed[epoch] = smoothed[epoch - 1] * (1 - alpha) if epoch else 0
        smoothed[epoch, epoch] = alpha if epoch else 1
    return smoothed.mean(axis=0)


def groups():
    """Return group → its miners."""
    alone = {name: (name,) for name in MINERS if name not in (*HONEST, *RING)}
    return {"honest": HONEST, **alone, "colluding": RING}


def percents(names, epochs_rao, jobs_rao):
    return Earned(*(100 * mean(rao, names) / mean(rao, HONEST) for rao in (epochs_rao, jobs_rao)))


def judge_percents(epochs_rao):
    per_stake = {who: epochs_rao[who] / stake for who, stake in JUDGES.items()}
    return Earned(100 * per_stake["Rex"] / mean(per_stake, ("Val", "Vic")), 0.0)


def mean(amounts, names):
    return sum(amounts[name] for name in names) / len(names)
