"""Geometry of the charts, drawn on the server as SVG paths. Pure: integers in, coordinates out.

The drawings stretch to their box (preserveAspectRatio none), so they carry no text; labels stand in HTML.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin

WIDTH, HEIGHT = 600, 160
PAD = 4  # room for half a stroke at the edges
SPACES = 4  # between the rules of an axis: about so many stand apart on a phone
ROUND = (1, 2, 5, 10)

SEAL_RADIUS = 47
LOBE_KINDS, DEPTH_KINDS, WAVE_KINDS = 8, 4, 4  # 8 x 4 x 4 = 128 seals
SINE_PULL = 0.3642  # a cubic whose controls stand this share of a half wave away draws a sine


@dataclass(frozen=True, slots=True)
class Line:
    """A curve and the area under it.

    ticks: the values of the axis, the highest first, at equal distances; grid: a rule at each.
    low, high: of the values drawn.  spots: where each point lies.
    """

    path: str
    area: str
    grid: str
    ticks: tuple[int, ...]
    low: int
    high: int
    spots: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """One column of a bar chart."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Clipping:
    """A horizontal bar of a hundred units: what was kept, what was cut off behind it, and the mark of the cut."""

    kept: float
    cut: float
    line: float


def line(
    points: Sequence[tuple[int, int]],
    *,
    is_step: bool = False,
    width: int = WIDTH,
    height: int = HEIGHT,
) -> Line | None:
    """Draw (x, y) points as a line; as steps, where a value holds until the next. None below two points.

    The floor is zero unless the values vary by less than a quarter: then the low end is cut, so that change shows.
    Floor and top are round numbers.
    """
    if len(points) < 2:
        return None
    xs = [x for x, _ in points]
    ys = [y for _, y in points]
    ticks = axis(floor_of(ys), max(ys))
    floor, spread_x, spread_y = ticks[0], max(xs[-1] - xs[0], 1), ticks[-1] - ticks[0]

    def level(value: int) -> float:
        return round(height - PAD - (value - floor) / spread_y * (height - 2 * PAD), 1)

    spots = [(round((x - xs[0]) / spread_x * width, 1), level(y)) for x, y in points]
    path = "M" + (steps(spots) if is_step else "L".join(f"{x:g} {y:g}" for x, y in spots))
    return Line(
        path=path,
        area=f"{path}V{height}H{spots[0][0]:g}Z",
        grid="".join(f"M0 {level(tick):g}H{width}" for tick in ticks),
        ticks=ticks[::-1],
        low=min(ys),
        high=max(ys),
        spots=tuple(spots),
    )


def axis(low: int, high: int) -> tuple[int, ...]:
    """Return round values at equal distances that reach from below low to above high, the lowest first.

    Example:
        >>> axis(0, 130), axis(96, 118), axis(0, 0)
        ((0, 50, 100, 150), (90, 100, 110, 120), (0, 1))
    """
    rough = max(1, -(-(high - low) // SPACES))
    size = 10 ** (len(str(rough)) - 1)
    step = next(size * factor for factor in ROUND if size * factor >= rough)
    first, last = low // step, max(-(-high // step), low // step + 1)
    return tuple(step * place for place in range(first, last + 1))


def floor_of(values: Sequence[int]) -> int:
    """Choose where the axis begins: zero, or just below the lowest value when all lie close together.

    Values that are all the same vary by nothing: they stand at the top of an axis from zero.
    """
    low, high = min(values), max(values)
    if low > 0 and 0 < high - low < high // 4:
        return max(0, low - (high - low) // 4)
    return min(0, low)


def steps(spots: Sequence[tuple[float, float]]) -> str:
    """Join spots by a horizontal and a vertical stroke each."""
    first, *rest = spots
    return f"{first[0]:g} {first[1]:g}" + "".join(f"H{x:g}V{y:g}" for x, y in rest)


def bars(values: Sequence[int], *, width: int = WIDTH, height: int = HEIGHT) -> list[Bar]:
    """Draw values of zero or more as columns of equal width from a floor of zero."""
    if not values:
        return []
    high = max(*values, 1)
    slot = width / len(values)
    gap = min(slot * 0.25, 6)
    return [
        Bar(
            x=round(index * slot + gap / 2, 1),
            y=round(height - value / high * (height - PAD), 1),
            width=round(slot - gap, 1),
            height=round(value / high * (height - PAD), 1),
        )
        for index, value in enumerate(values)
    ]


def clipping(weight: int, *, clipped: int, line: int, high: int) -> Clipping:
    """Draw a weight against the highest beside it, its cut-off part, and the line where it was cut."""
    scale = 100 / max(high, 1)
    return Clipping(
        kept=round((weight - clipped) * scale, 2),
        cut=round(clipped * scale, 2),
        line=round(line * scale, 2),
    )


def rosette(number: int) -> str:
    """Draw the seal of a subnet: crossing waves in a ring, as engraved on share certificates.

    Lobes, depth and the number of waves follow from the number, so 128 numbers give 128 seals.
    Centre (50, 50), outer radius SEAL_RADIUS.
    """
    lobes = 7 + number % LOBE_KINDS
    inner = 23 + 4 * (number // LOBE_KINDS % DEPTH_KINDS)
    waves = 3 + number // (LOBE_KINDS * DEPTH_KINDS) % WAVE_KINDS
    step = 2 * pi / lobes / waves
    return "".join(wave(lobes, inner=inner, turn=step * index) for index in range(waves))


def wave(lobes: int, *, inner: int, turn: float) -> str:
    """Draw one closed wave around the centre: smooth cubic strokes between its outer and inner turns."""
    half = pi / lobes
    spots = []
    for index in range(2 * lobes + 1):
        radius = inner if index % 2 else SEAL_RADIUS
        angle = turn + index * half
        x, y = 50 + radius * cos(angle), 50 + radius * sin(angle)
        pull = SINE_PULL * half * radius
        spots.append((x, y, x + pull * sin(angle), y - pull * cos(angle)))
    x, y, _, _ = spots[0]
    # The first stroke's leading control lies opposite its own trailing one, as on every later stroke.
    strokes = [f"M{x:.1f} {y:.1f}C{2 * x - spots[0][2]:.1f} {2 * y - spots[0][3]:.1f}"]
    strokes.append(stroke(spots[1]))
    strokes.extend(f"S{stroke(spot)}" for spot in spots[2:])
    return "".join(strokes) + "Z"


def stroke(spot: tuple[float, float, float, float]) -> str:
    """Write a stroke's trailing control and its end."""
    x, y, control_x, control_y = spot
    return f" {control_x:.1f} {control_y:.1f} {x:.1f} {y:.1f}"
