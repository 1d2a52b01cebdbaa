"""Counters of energy where the system lets a program read them: the processor's by RAPL, the cards' by NVML."""

from pathlib import Path

import pynvml

RAPL = Path("/sys/class/powercap")
PACKAGE = "intel-rapl:?"  # AMD's counters carry the same name; deeper zones are parts of a package.


def meters(rapl: Path = RAPL) -> list[str]:
    """Name the counters that can be read."""
    return [*(["RAPL"] if rapl_uj(rapl) is not None else []), *(["NVML"] if cards_mj() else [])]


def rapl_uj(rapl: Path = RAPL) -> int | None:
    """Read the energy of all processor packages, in microjoules since some start; None when it cannot be read."""
    try:
        found = [int((zone / "energy_uj").read_text()) for zone in rapl.glob(PACKAGE)]
    except (OSError, ValueError):
        return None
    return sum(found) if found else None


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
