"""RAPL's counters as the kernel shows them; a device without a counter has no meter."""

from pathlib import Path

import pytest
import torch

from specfair.engine import energy


def zone(root: Path, name: str, uj: int) -> Path:
    folder = root / name
    folder.mkdir(exist_ok=True)
    (folder / "max_energy_range_uj").write_text("9999999\n")
    (folder / "energy_uj").write_text(f"{uj}\n")
    return folder


def test_packages_are_added_up_and_a_counter_that_ran_over_goes_on(
    tmp_path: Path,
) -> None:
    zone(tmp_path, "intel-rapl:0", 1_000_000)
    zone(tmp_path, "intel-rapl:1", 9_000_000)
    zone(tmp_path, "intel-rapl:0:0", 5)  # a part of the first, counted there
    told = energy._rapl(tmp_path)
    assert told is not None
    zone(tmp_path, "intel-rapl:0", 3_000_000)
    zone(tmp_path, "intel-rapl:1", 500_000)  # ran over at 10 J
    assert told() == pytest.approx(2.0 + 1.5)
    assert told() == pytest.approx(3.5)


def test_where_nothing_is_told_there_is_no_meter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(energy, "RAPL", tmp_path)
    assert energy.meter(torch.device("cpu")) is None
    folder = zone(tmp_path, "intel-rapl:0", 1)
    (folder / "energy_uj").unlink()  # only root may read it on many machines
    assert energy.meter(torch.device("cpu")) is None
    assert torch.cuda.is_available() or energy.meter(torch.device("cuda")) is None
