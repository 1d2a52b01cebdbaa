"""What an epoch was paid by, packed: the metrics in place of the signed scores, and all else of its record.

A backtest reads a hundred epochs at once. The public bundles say the same, but of a full subnet each is
megabytes of JSON with a signature a score; packed, an epoch has some hundred kilobytes and is read in
milliseconds. Layout, deflated: the header's length (4 bytes, little-endian), the header (JSON), then each
array named in it, its bytes sorted by significance, so that what changes little lies together.
"""

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from subnets import packing
from subnets.grids import Grid
from subnets.metrics import METRICS, Rows, Table
from subnets.payroll import Measured
from subnets.record import Backing, Record, RuleVersion, Seat

FORMAT = 1
_LENGTH_BYTES = 4
_INTEGERS = ("<u1", "<u2", "<u4", "<i8")  # the smallest that holds all values of a column is taken

Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Evidence:
    """An epoch as a backtest needs it. record: without scores and deliveries, which became `measured`."""

    record: Record
    measured: Measured


def packed(record: Record, measured: Measured) -> bytes:
    """Pack what an epoch was paid by; `unpacked` gives it back to the last bit.

    measured: as `payroll.measured` gives it. Smoothed scores of hotkeys that hold no seat are left out:
    no epoch reads them.
    """
    uid_of = {seat.hotkey: seat.uid for seat in record.seats}
    columns, large = _metric_columns(measured, uid_of)
    columns |= _sparse("bond", {seat.uid: seat.bonds for seat in record.seats})
    columns |= _smoothed_columns(Grid.of(record.smoothed), uid_of)
    blobs, shapes = [], []
    for name, values in columns.items():
        fitted = _fitted(values)
        shapes.append([name, fitted.dtype.str, len(fitted)])
        blobs.append(_by_significance(fitted))
    parts = _header(record) | {"arrays": shapes, "large": large}
    header = json.dumps(parts, separators=(",", ":")).encode()
    length = len(header).to_bytes(_LENGTH_BYTES, "little")
    return packing.deflated(b"".join((length, header, *blobs)))


def unpacked(at_rest: bytes) -> Evidence:
    """Read back what `packed` made. Raises: ValueError, KeyError, zlib.error when it is nothing of the kind."""
    content = zlib.decompress(at_rest)
    start = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
    header = json.loads(content[_LENGTH_BYTES:start])
    if header["format"] != FORMAT:
        raise ValueError(f"evidence of format {header['format']} is not read here")
    columns: dict[str, Array] = {}
    for name, dtype, length in header["arrays"]:
        stop = start + length * np.dtype(dtype).itemsize
        columns[name] = _from_significance(content[start:stop], np.dtype(dtype))
        start = stop
    record = _record_read(header)
    hotkeys = [seat.hotkey for seat in record.seats]
    bonds = _dense("bond", columns)
    return Evidence(
        replace(
            record,
            seats=tuple(replace(seat, bonds=bonds.get(seat.uid, {})) for seat in record.seats),
            smoothed=_smoothed_read(columns, hotkeys),
        ),
        _measured_read(columns, header["large"], hotkeys),
    )


def _header(record: Record) -> dict[str, Any]:
    """Write all but what fills arrays. JSON's integers have no bound here: both sides are Python."""
    return {
        "format": FORMAT,
        "netuid": record.netuid,
        "number": record.number,
        "start_block": record.start_block,
        "end_block": record.end_block,
        "last_step_block": record.last_step_block,
        "owner": record.owner,
        "emission_rao": record.emission_rao,
        "hyperparameters": dict(record.hyperparameters),
        "versions": [[item.version, item.digest, dict(item.document)] for item in record.versions],
        "seats": [
            [
                seat.hotkey,
                seat.owner,
                seat.registered_block,
                seat.last_update_block,
                seat.has_permit,
                [[part.owner, part.amount_rao] for part in seat.backing],
            ]
            for seat in record.seats
        ],
        "incumbents": dict(record.incumbents),
    }


def _record_read(header: Mapping[str, Any]) -> Record:
    return Record(
        netuid=header["netuid"],
        number=header["number"],
        start_block=header["start_block"],
        end_block=header["end_block"],
        last_step_block=header["last_step_block"],
        owner=header["owner"],
        emission_rao=header["emission_rao"],
        hyperparameters=header["hyperparameters"],
        versions=tuple(RuleVersion(*item) for item in header["versions"]),
        seats=tuple(
            Seat(
                uid=uid,
                hotkey=hotkey,
                owner=owner,
                registered_block=registered_block,
                last_update_block=last_update_block,
                has_permit=has_permit,
                bonds={},
                backing=tuple(Backing(*part) for part in backing),
            )
            for uid, (
                hotkey,
                owner,
                registered_block,
                last_update_block,
                has_permit,
                backing,
            ) in enumerate(header["seats"])
        ),
        scores=(),
        deliveries=(),
        incumbents=header["incumbents"],
    )


def _metric_columns(
    measured: Measured, uid_of: Mapping[str, int]
) -> tuple[dict[str, Array], dict[str, list[int]]]:
    """Return a column a metric, and two that say whose: one row for each miner a validator sampled.

    Whole numbers that pass 64 bits, which a sum of signed scores may, stand apart as they are.
    """
    tables = [(validator, Table.of(by_miner)) for validator, by_miner in measured.items()]
    rows = Rows([table for _, table in tables])
    columns = {
        "validator": np.repeat(
            _whole(uid_of[validator] for validator, _ in tables),
            [len(table) for _, table in tables],
        ),
        "miner": _whole(
            map(uid_of.__getitem__, chain.from_iterable(table.miners for _, table in tables))
        ),
    }
    large: dict[str, list[int]] = {}
    for name in METRICS:
        values = rows.column(name)
        if isinstance(values, list):
            large[name] = [int(value) for value in values]
        else:
            columns[name] = values
    return columns, large


def _measured_read(
    columns: Mapping[str, Array], large: Mapping[str, list[int]], hotkeys: list[str]
) -> Measured:
    """Cut the columns into a table a validator."""
    values = {
        name: np.array(large[name], dtype=object) if name in large else columns[name]
        for name in METRICS
    }
    judges = columns["validator"]
    starts = np.flatnonzero(np.diff(judges, prepend=-1)).tolist()
    measured = {}
    for start, stop in zip(starts, [*starts[1:], len(judges)], strict=False):
        validator = int(judges[start])
        miners = tuple(hotkeys[uid] for uid in columns["miner"][start:stop].tolist())
        parts = {name: column[start:stop] for name, column in values.items()}
        measured[hotkeys[validator]] = Table(miners, parts)
    return measured


def _smoothed_columns(smoothed: Grid, uid_of: Mapping[str, int]) -> dict[str, Array]:
    """Return what seated hotkeys hold of seated hotkeys, by uid."""
    judges, judged = (
        np.array([uid_of.get(who, -1) for who in side], dtype=np.int64)
        for side in (smoothed.validators, smoothed.miners)
    )
    is_seated = (judges >= 0)[:, np.newaxis] & (judged >= 0)
    row, column = (smoothed.has_entry & is_seated).nonzero()
    return {
        "smoothed_row": judges[row],
        "smoothed_column": judged[column],
        "smoothed_value": smoothed.numbers[row, column],
    }


def _smoothed_read(columns: Mapping[str, Array], hotkeys: Sequence[str]) -> Grid:
    judges, row = np.unique(columns["smoothed_row"], return_inverse=True)
    judged, column = np.unique(columns["smoothed_column"], return_inverse=True)
    miners = [hotkeys[uid] for uid in judged.tolist()]
    order = sorted(range(len(miners)), key=miners.__getitem__)
    place = np.argsort(np.array(order, dtype=np.int64))
    return Grid.filled(
        tuple(hotkeys[uid] for uid in judges.tolist()),
        tuple(miners[one] for one in order),
        (row, place[column]),
        columns["smoothed_value"],
    )


def _sparse(name: str, matrix: Mapping[int, Mapping[int, int]]) -> dict[str, Array]:
    """Return a matrix as three columns: row, column, value."""
    rows = list(matrix.values())
    return {
        f"{name}_row": np.repeat(_whole(matrix), [len(row) for row in rows]),
        f"{name}_column": _whole(chain.from_iterable(rows)),
        f"{name}_value": _whole(chain.from_iterable(row.values() for row in rows)),
    }


def _dense(name: str, columns: Mapping[str, Array]) -> dict[int, dict[int, int]]:
    matrix: dict[int, dict[int, int]] = {}
    triples = (columns[f"{name}_{part}"].tolist() for part in ("row", "column", "value"))
    for i, j, value in zip(*triples, strict=True):
        matrix.setdefault(i, {})[j] = value
    return matrix


def _whole(values: Iterable[int]) -> Array:
    return np.fromiter(values, dtype=np.int64)


def _fitted(values: Array) -> Array:
    """Return the same values in the smallest type that holds them all exactly."""
    if values.dtype.kind == "f":
        with np.errstate(over="ignore"):
            halved = values.astype("<f4")
        return halved if np.array_equal(halved.astype(np.float64), values) else values
    if len(values) and values.min() < 0:
        return values
    greatest = int(values.max(initial=0))
    return values.astype(next(kind for kind in _INTEGERS if greatest <= np.iinfo(kind).max))


def _by_significance(values: Array) -> bytes:
    """Return the first byte of every value, then the second of every value, and so on."""
    as_bytes = np.ascontiguousarray(values).view(np.uint8)
    return as_bytes.reshape(len(values), values.dtype.itemsize).T.tobytes()


def _from_significance(content: bytes, dtype: np.dtype[Any]) -> Array:
    planes = np.frombuffer(content, dtype=np.uint8).reshape(dtype.itemsize, -1)
    values = np.ascontiguousarray(planes.T).view(dtype).reshape(-1)
    return values.astype(np.float64 if dtype.kind == "f" else np.int64)
