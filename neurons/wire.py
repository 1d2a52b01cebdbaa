"""What the API sends to and takes from a neuron, as records. Pure: reads and writes plain JSON values."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self, TypeVar
from uuid import UUID

GATEWAYS_MAX = 16  # A miner holds a tunnel to each.
Fields = Mapping[str, Any]
Kind = TypeVar("Kind", str, int, dict, list, bool)


class AnswerMalformed(ValueError):
    """The server's answer is not what the contract says: another version, or not this API."""


def read(fields: object, name: str, kind: type[Kind]) -> Kind:
    """Take one field of an answer, checked for its kind. Raises: AnswerMalformed."""
    value = fields.get(name) if isinstance(fields, Mapping) else None
    # bool is an int in Python; an answer that says true where a number belongs is wrong.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise AnswerMalformed(f"The answer has no {name} of the right kind ({kind.__name__}).")
    return value


def read_rao(fields: object, name: str) -> int:
    """Take an amount, sent as a decimal string. Raises: AnswerMalformed."""
    text = read(fields, name, str)
    if not (text.isascii() and text.isdigit()):
        raise AnswerMalformed(f"{name} is not a whole number of rao.")
    return int(text)


def read_id(fields: object, name: str) -> str:
    """Take a UUID in its normal spelling: it becomes part of signed bytes and of addresses."""
    text = read(fields, name, str)
    try:
        return str(UUID(text))
    except ValueError:
        raise AnswerMalformed(f"{name} is no UUID.") from None


def read_all(fields: object, name: str) -> list[Any]:
    """Take a list. Raises: AnswerMalformed."""
    return read(fields, name, list)


@dataclass(frozen=True, slots=True)
class Network:
    """What a neuron needs of the network's figures."""

    receiver: str
    block: int
    block_ms: int
    subnet_count: int
    gateways: tuple[str, ...] = ()

    @classmethod
    def from_wire(cls, fields: object) -> Self:
        """Read GET network/."""
        return cls(
            receiver=read(fields, "receiver", str),
            block=read(fields, "block", int),
            block_ms=read(fields, "block_ms", int),
            subnet_count=read(fields, "subnet_count", int),
            gateways=_gateways(fields),
        )


def _gateways(fields: object) -> tuple[str, ...]:
    """Read the addresses of gateways; a network without any does not name them. Raises: AnswerMalformed."""
    if not isinstance(fields, Mapping) or fields.get("gateways") is None:
        return ()
    urls = read(fields, "gateways", list)
    if len(urls) > GATEWAYS_MAX or not all(_is_address(url) for url in urls):
        raise AnswerMalformed(f"gateways must be at most {GATEWAYS_MAX} addresses.")
    return tuple(dict.fromkeys(url.rstrip("/") for url in urls))


def _is_address(url: object) -> bool:
    return isinstance(url, str) and url.startswith(("http://", "https://"))


@dataclass(frozen=True, slots=True)
class Standing:
    """How this hotkey stands on one subnet."""

    netuid: int
    uid: int
    incentive_u16: int
    dividends_u16: int
    rank: int
    stake_rao: int
    last_payout_rao: int

    @classmethod
    def from_wire(cls, fields: object) -> Self:
        """Read one of `neurons` of GET hotkeys/me/."""
        return cls(
            netuid=read(fields, "netuid", int),
            uid=read(fields, "uid", int),
            incentive_u16=read(fields, "incentive_u16", int),
            dividends_u16=read(fields, "dividends_u16", int),
            rank=read(fields, "rank", int),
            stake_rao=read_rao(fields, "stake_rao"),
            last_payout_rao=read_rao(fields, "last_payout_rao"),
        )


@dataclass(frozen=True, slots=True)
class GivenScore:
    """What a validator said of a result of this hotkey, in an epoch that has closed."""

    netuid: int
    score_ppm: int

    @classmethod
    def from_wire(cls, fields: object) -> Self:
        """Read one of `scores` of GET hotkeys/me/."""
        netuid, score_ppm = read(fields, "netuid", int), read(fields, "score_ppm", int)
        return cls(netuid=netuid, score_ppm=score_ppm)


@dataclass(frozen=True, slots=True)
class Registration:
    """A uid on a subnet, and what it cost."""

    netuid: int
    uid: int
    burn_rao: int

    @classmethod
    def from_wire(cls, fields: object) -> Self:
        """Read POST subnets/{netuid}/neurons/."""
        return cls(
            netuid=read(fields, "netuid", int),
            uid=read(fields, "uid", int),
            burn_rao=read_rao(fields, "burn_rao"),
        )


@dataclass(frozen=True, slots=True)
class Gpu:
    """A graphics card as its driver names it."""

    name: str
    memory_bytes: int
    uuid: str


@dataclass(frozen=True, slots=True)
class EnergyUsed:
    """What a computer used since the program began. run_id: of the program's run, by which it is counted on."""

    run_id: str
    used_mj: int


@dataclass(frozen=True, slots=True)
class MachineReport:
    """What a miner says of the computer it runs on. energy: None where it cannot be read."""

    name: str
    cpu_model: str
    cpu_count: int
    memory_bytes: int
    gpus: tuple[Gpu, ...]
    blueprints: tuple[str, ...]
    concurrency: int
    energy: EnergyUsed | None = None

    def to_wire(self) -> dict[str, Any]:
        """Write POST machines/."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Lease:
    """One job, lent to this machine until its deadline."""

    lease_id: str
    job_id: str
    netuid: int
    blueprint: str
    payload: dict[str, Any]
    deadline_at: str

    @classmethod
    def from_wire(cls, fields: object) -> Self:
        """Read POST machines/{id}/lease/."""
        return cls(
            lease_id=read_id(fields, "lease_id"),
            job_id=read_id(fields, "job_id"),
            netuid=read(fields, "netuid", int),
            blueprint=read(fields, "blueprint", str),
            payload=read(fields, "payload", dict),
            deadline_at=read(fields, "deadline_at", str),
        )


@dataclass(frozen=True, slots=True)
class SignedResult:
    """An output with the miner's signature over its digest."""

    output: dict[str, Any]
    output_digest: str
    signature: str
    duration_ms: int

    def to_wire(self) -> dict[str, Any]:
        """Write POST leases/{id}/result/."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RefusedResult:
    """A result the server did not take, and why."""

    lease_id: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class ResultsTaken:
    """What became of a batch of results."""

    refused: Sequence[RefusedResult]

    @classmethod
    def from_wire(cls, fields: object) -> Self:
        """Read POST results/."""
        return cls(
            refused=tuple(
                RefusedResult(
                    lease_id=read_id(each, "lease_id"),
                    code=read(each, "code", str),
                    detail=read(each, "detail", str),
                )
                for each in read_all(fields, "refused")
            )
        )


@dataclass(frozen=True, slots=True)
class Sample:
    """A result to score. `known_answer` is there when the job was planted.

    `pieces` are there when the miner was asked through its tunnel: its digest is theirs, not the output's.
    `report` is what a consumer says is wrong with an answer of the gateway: who asked lets validators read it.
    """

    result_id: str
    job_id: str
    netuid: int
    blueprint: str
    payload: dict[str, Any]
    output: object
    output_digest: str
    miner: str
    known_answer: dict[str, Any] | None
    pieces: tuple[str, ...] | None = None
    report: str | None = None

    @classmethod
    def from_wire(cls, fields: object) -> Self:
        """Read one of `samples` of GET samples/."""
        is_reported = isinstance(fields, Mapping) and fields.get("report") is not None
        is_known = isinstance(fields, Mapping) and fields.get("known_answer") is not None
        is_asked = isinstance(fields, Mapping) and fields.get("pieces") is not None
        return cls(
            result_id=read_id(fields, "result_id"),
            job_id=read_id(fields, "job_id"),
            netuid=read(fields, "netuid", int),
            blueprint=read(fields, "blueprint", str),
            payload=read(fields, "payload", dict),
            # Whatever the miner sent: the workload's check judges it.
            output=fields.get("output") if isinstance(fields, Mapping) else None,
            output_digest=read(fields, "output_digest", str),
            miner=read(fields, "miner", str),
            known_answer=read(fields, "known_answer", dict) if is_known else None,
            pieces=tuple(map(str, read(fields, "pieces", list))) if is_asked else None,
            report=read(fields, "report", str) if is_reported else None,
        )


@dataclass(frozen=True, slots=True)
class SignedScore:
    """What this validator says of one result."""

    result_id: str
    score_ppm: int
    reason: str
    signature: str


@dataclass(frozen=True, slots=True)
class RefusedScore:
    """A score the server did not take, and why."""

    result_id: str
    code: str


@dataclass(frozen=True, slots=True)
class ScoresTaken:
    """What became of a batch of scores."""

    accepted_count: int
    refused: Sequence[RefusedScore]

    @classmethod
    def from_wire(cls, fields: object) -> Self:
        """Read POST scores/."""
        return cls(
            accepted_count=read(fields, "accepted_count", int),
            refused=tuple(
                RefusedScore(result_id=read_id(each, "result_id"), code=read(each, "code", str))
                for each in read_all(fields, "refused")
            ),
        )
