"""What computer is this? Facts of the processor and memory, and graphics cards as their driver reports."""

import os
import platform
from pathlib import Path

import pynvml

from neurons.energy import Meter
from neurons.wire import EnergyUsed, Gpu, MachineReport

CPU_MODEL_MAX = 120  # The server stores as much.


def machine_report(
    *, name: str, blueprints: tuple[str, ...], meter: Meter, concurrency: int = 1
) -> MachineReport:
    """Describe this computer for POST machines/."""
    used_mj = meter.used_mj()
    return MachineReport(
        name=name,
        cpu_model=cpu_model(),
        cpu_count=cpu_count(),
        memory_bytes=memory_bytes(),
        gpus=gpus(),
        blueprints=blueprints,
        concurrency=concurrency,
        energy=None if used_mj is None else EnergyUsed(meter.run_id, used_mj),
    )


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Name the processor; what the platform knows where Linux does not tell."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    found = next(named, "") or platform.processor() or platform.machine() or "unknown"
    return found[:CPU_MODEL_MAX]


def cpu_count() -> int:
    """Count the processors this program may use, which a container may limit."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_bytes() -> int:
    """Measure the physical memory; 0 where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


def gpus() -> tuple[Gpu, ...]:
    """List NVIDIA cards through NVML; empty without a driver, and never a guess."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        return tuple(_gpu(index) for index in range(pynvml.nvmlDeviceGetCount()))
    except pynvml.NVMLError:
        # A card that fell off the bus: better no card in the report than a wrong one.
        return ()
    finally:
        pynvml.nvmlShutdown()


def _gpu(index: int) -> Gpu:
    device = pynvml.nvmlDeviceGetHandleByIndex(index)
    return Gpu(
        name=str(pynvml.nvmlDeviceGetName(device)),
        memory_bytes=int(pynvml.nvmlDeviceGetMemoryInfo(device).total),
        uuid=str(pynvml.nvmlDeviceGetUUID(device)),
    )
