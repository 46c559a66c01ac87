"""Joules, where the device tells of them: NVML of a GPU, RAPL of a processor.

Knows counters that only grow, and where they start anew. What else the machine does
meanwhile is counted in; where nothing is told, or reading it is not allowed, there is
no meter.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import torch

Meter: TypeAlias = Callable[[], float]  # joules since it was made

RAPL = Path("/sys/class/powercap")


def meter(device: torch.device) -> Meter | None:
    """That of the device; None where it has none."""
    return _nvml(device) if device.type == "cuda" else _rapl(RAPL)


def _nvml(device: torch.device) -> Meter | None:
    try:
        import pynvml

        pynvml.nvmlInit()
        uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
        handle: Any = pynvml.nvmlDeviceGetHandleByUUID(uuid)
        start = pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except Exception:  # not installed, no driver, or a GPU that does not count
        return None
    return lambda: float(
        (pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) - start) / 1e3
    )


def _rapl(root: Path) -> Meter | None:
    """Of all packages; a counter that ran over goes on from zero."""
    zones, last = [p for p in root.glob("intel-rapl:*") if p.name.count(":") == 1], {}
    with suppress(OSError, ValueError):
        span = {z: int((z / "max_energy_range_uj").read_text()) for z in zones}
        last = {z: int((z / "energy_uj").read_text()) for z in zones}
    if not last:
        return None
    total = 0.0

    def joules() -> float:
        nonlocal total
        for zone, before in last.items():
            now = int((zone / "energy_uj").read_text())
            total += (now - before) % (span[zone] + 1) / 1e6
            last[zone] = now
        return total

    return joules
