"""What bundles of epochs in a row say of each other, and what was promised while scores were sealed. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from subnets import bundle as bundles
from subnets import commitments
from subnets.bundle_shape import Json, Place, escaped
from subnets.proving import Finding, first_difference


@dataclass(slots=True)
class Link:
    """What a bundle takes up and hands on. heads: validator → where its chain ended, this epoch or before."""

    source: str
    form: int
    digest: str
    taken: dict[str, Any]
    handed: dict[str, Any]
    begun: dict[str, Any]
    heads: dict[str, Any]

    @classmethod
    def of(cls, bundle: Json, *, source: str) -> "Link":
        """Read a bundle that matches in itself."""
        record, paid = bundle["record"], bundle["payroll"]
        committed = record.get("commitments", {})
        return cls(
            source=source,
            form=bundle["format"],
            digest=bundle["digest"],
            taken={
                "/previous_digest": bundle["previous_digest"],
                "/record/start_block": record["start_block"],
                "/record/last_step_block": record["last_step_block"],
                "/record/smoothed": record["smoothed"],
                "/record/incumbents": record["incumbents"],
                "/record/neurons": record["neurons"],
            },
            handed={
                "/previous_digest": bundle["digest"],
                "/record/start_block": record["end_block"],
                "/record/last_step_block": record["end_block"],
                "/record/smoothed": paid["smoothed"],
                "/record/incumbents": paid["incumbents"],
                "/record/neurons": paid["terms"],
            },
            begun={
                who: {"before": said["before"], "before_count": said["before_count"]}
                for who, said in committed.items()
            },
            heads={
                who: {"before": said["after"], "before_count": said["before_count"] + said["count"]}
                for who, said in committed.items()
            },
        )


@dataclass(frozen=True, slots=True)
class Chain:
    """The bundles seen so far, by (netuid, number); what was compared on both sides is let go."""

    links: dict[tuple[int, int], Link] = field(default_factory=dict)

    def add(self, bundle: Json, *, source: str) -> Iterator[Finding]:
        """Compare a bundle that matches in itself with those of the epochs before and after it, if seen."""
        netuid, number = bundle["record"]["netuid"], bundle["record"]["number"]
        twin = self.links.get((netuid, number))
        if twin is not None:
            # The same bundle once more, of a folder and an address say, was compared when it first came.
            if twin.digest != bundle["digest"]:
                yield Finding(source, "/record/number", f"{twin.source} is another epoch {number}")
            return
        link = self.links[(netuid, number)] = Link.of(bundle, source=source)
        yield from self._downgraded(link, netuid, number)
        before, after = self.links.get((netuid, number - 1)), self.links.get((netuid, number + 1))
        for earlier, later in ((before, link), (link, after)):
            if earlier is None or later is None:
                continue
            found = broken(earlier, later)
            if found is not None:
                yield Finding(later.source, *found)
            later.heads = earlier.heads | later.heads
            later.taken, earlier.handed = {}, {}

    def _downgraded(self, link: Link, netuid: int, number: int) -> Iterator[Finding]:
        """Name formats that are older than that of an earlier epoch: an old one proves less, and is no way back."""
        for (other_netuid, other_number), other in self.links.items():
            if other_netuid != netuid or other.form == link.form:
                continue
            earlier, later = (other, link) if other_number < number else (link, other)
            if earlier.form > later.form:
                detail = f"{later.form}, after {earlier.source} had the format {earlier.form}"
                yield Finding(later.source, "/format", detail)
                return


def gaps(numbers: Collection[int], *, first: int | None = None) -> Iterator[tuple[int, int]]:
    """Yield the first and the last number of each run that is left out; first: where numbers should begin."""
    known = sorted(set(numbers))
    expected = known[0] if first is None else first
    for number in known:
        if number > expected:
            yield expected, number - 1
        expected = number + 1


def broken(earlier: Link, later: Link) -> Place | None:
    """Return where an epoch does not take up what the one before handed on."""
    for pointer, handed in earlier.handed.items():
        if pointer == "/record/neurons":
            found = broken_seat(handed, later.taken[pointer], earlier.handed["/record/start_block"])
        else:
            found = first_difference(later.taken[pointer], handed, pointer)
        if found is not None:
            return found
    for validator in sorted(later.begun.keys() & earlier.heads.keys()):
        pointer = f"/record/commitments/{escaped(validator)}"
        found = first_difference(later.begun[validator], earlier.heads[validator], pointer)
        if found is not None:
            return found
    return None


def broken_seat(terms: Json, seats: Json, end_block: int) -> Place | None:
    """Return where a neuron that stayed lost or gained a permit, an update or a bond between two epochs.

    A bond to a neuron that left is dropped; whoever registered since then begins anew.
    """
    known = {term["uid"]: term for term in terms}
    stayed = {
        seat["uid"]
        for seat in seats
        if seat["registered_block"] < end_block
        and known.get(seat["uid"], {}).get("hotkey") == seat["hotkey"]
    }
    for place, seat in enumerate(seats):
        if seat["uid"] not in stayed:
            continue
        term = known[seat["uid"]]
        kept = {uid: bond for uid, bond in term["bonds"].items() if int(uid) in stayed}
        mine = {uid: bond for uid, bond in seat["bonds"].items() if int(uid) in stayed}
        for name, stated, handed in (
            ("has_permit", seat["has_permit"], term["has_permit"]),
            ("last_update_block", seat["last_update_block"], term["last_update_block"]),
            ("bonds", mine, kept),
        ):
            found = first_difference(stated, handed, f"/record/neurons/{place}/{name}")
            if found is not None:
                return found
    return None


@dataclass(frozen=True, slots=True)
class Promise:
    """A head that was public while its scores were sealed: of which subnet and validator, after how many scores."""

    netuid: int
    validator: str
    total_count: int
    digest: str


def promises(answer: Json) -> list[Promise]:
    """Read an answer of `GET subnets/{netuid}/commitments/` that somebody kept.

    Raises: KeyError, TypeError when it is none.
    """
    found = [
        Promise(answer["netuid"], line["validator"], line["total_count"], line["digest"])
        for line in answer["results"]
    ]
    for promise in found:
        if (type(promise.netuid), type(promise.total_count)) != (int, int):
            raise TypeError(f"netuid and total_count are integers, unlike those of {promise}")
        if (type(promise.validator), type(promise.digest)) != (str, str):
            raise TypeError(f"validator and digest are texts, unlike those of {promise}")
    return found


def unkept(bundle: Json, promised: Iterable[Promise]) -> tuple[Place | None, set[Promise]]:
    """Return the first promise that a bundle breaks, and those that it keeps."""
    record, kept = bundle["record"], set[Promise]()
    scores = commitments.by_validator(bundles.scores_read(record))
    for promise in promised:
        stated: Mapping[str, Any] | None = record.get("commitments", {}).get(promise.validator)
        if stated is None or promise.netuid != record["netuid"]:
            continue
        place = promise.total_count - stated["before_count"]
        if not 0 < place <= stated["count"]:
            continue
        shown = commitments.heads(stated["before"], scores[promise.validator][:place])[-1]
        if shown != promise.digest:
            pointer = f"/record/commitments/{escaped(promise.validator)}"
            said = f"{promise.digest} was promised after {promise.total_count} scores, not {shown}"
            return (pointer, said), kept
        kept.add(promise)
    return None, kept
