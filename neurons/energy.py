"""Counters of energy where the system lets a program read them: the processor's by RAPL, the cards' by NVML."""

from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pynvml

RAPL = Path("/sys/class/powercap")
PACKAGE = "intel-rapl:?"  # AMD's counters carry the same name; deeper zones are parts of a package.


def meters(rapl: Path = RAPL) -> list[str]:
    """Name the counters that can be read."""
    return [*(["RAPL"] if rapl_uj(rapl) is not None else []), *(["NVML"] if cards_mj() else [])]


def rapl_uj(rapl: Path = RAPL) -> int | None:
    """Read the energy of all processor packages, in microjoules since some start; None when it cannot be read."""
    zones = zones_uj(rapl)
    return sum(zones.values()) if zones else None


def zones_uj(rapl: Path = RAPL) -> dict[Path, int]:
    """Read each processor package's counter, in microjoules; empty where one cannot be read."""
    try:
        return {zone: int((zone / "energy_uj").read_text()) for zone in rapl.glob(PACKAGE)}
    except (OSError, ValueError):
        return {}


def range_uj(zone: Path) -> int:
    """Read at how many microjoules a package's counter begins anew; 0 when it does not say."""
    try:
        return int((zone / "max_energy_range_uj").read_text())
    except (OSError, ValueError):
        return 0


@dataclass(slots=True)
class Meter:
    """What this computer used since the program began, as far as it can be read.

    It has to be read every few minutes: a counter that began anew twice in between looks as if it had once.
    """

    rapl: Path = RAPL
    run_id: str = field(default_factory=lambda: uuid4().hex)
    _used_mj: int = 0
    _zones_uj: dict[Path, int] = field(default_factory=dict)
    _cards_mj: int = 0

    def __post_init__(self) -> None:
        """Begin to count from here."""
        self._zones_uj, self._cards_mj = zones_uj(self.rapl), cards_mj()

    def used_mj(self) -> int | None:
        """Return how much was used since the beginning, in millijoules; None where nothing can be read."""
        zones, cards = zones_uj(self.rapl), cards_mj()
        if not zones and not cards:
            return None
        used_uj = 0
        for zone, now_uj in zones.items():
            passed_uj = now_uj - self._zones_uj.get(zone, now_uj)
            used_uj += passed_uj if passed_uj >= 0 else passed_uj + range_uj(zone)
        self._used_mj += max(0, used_uj) // 1_000
        # A driver that was loaded anew counts from zero.
        self._used_mj += max(0, cards - self._cards_mj) if self._cards_mj else 0
        self._zones_uj, self._cards_mj = zones, cards
        return self._used_mj


def cards_mj() -> int:
    """Read the energy of all cards since their driver was loaded, in millijoules; 0 when it cannot be read."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return 0
    try:
        return sum(
            int(pynvml.nvmlDeviceGetTotalEnergyConsumption(pynvml.nvmlDeviceGetHandleByIndex(n)))
            for n in range(pynvml.nvmlDeviceGetCount())
        )
    except pynvml.NVMLError:
        return 0
    finally:
        pynvml.nvmlShutdown()
