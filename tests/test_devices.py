"""Devices and dtypes by name."""

import pytest
import torch

from specfair.devices import device_of, dtype_of
from specfair.errors import UsageError


def machine(monkeypatch: pytest.MonkeyPatch, n_cuda: int = 0, *, mps: bool = False) -> None:
    """A machine with these devices, as torch would report it."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: n_cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n_cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(("n_cuda", "mps", "kind"), [(2, False, "cuda"), (0, True, "mps"), (0, False, "cpu")])
def test_auto_takes_the_best_there_is(monkeypatch: pytest.MonkeyPatch, n_cuda: int, mps: bool, kind: str) -> None:
    machine(monkeypatch, n_cuda, mps=mps)
    assert device_of("auto").type == kind


def test_devices_by_name_and_number(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, 2)
    assert device_of("cpu") == torch.device("cpu")
    assert device_of("cuda:1") == torch.device("cuda", 1)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("cdua", "unknown device 'cdua'.*Did you mean 'cuda'"),
        ("mps", "device 'mps' is not available; this machine has 0 of mps"),
        ("cuda:2", "device 'cuda:2' is not available; this machine has 2 of cuda"),
        ("cuda:x", "device 'cuda:x' is not available"),
    ],
)
def test_devices_that_are_not_here(monkeypatch: pytest.MonkeyPatch, name: str, says: str) -> None:
    machine(monkeypatch, 2)
    with pytest.raises(UsageError, match=says):
        device_of(name)


def test_dtypes(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert dtype_of("auto", cpu) == torch.float32
    for able, expected in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda able=able: able)
        assert dtype_of("auto", cuda) == expected
    assert dtype_of("float16", cuda) == torch.float16
    with pytest.raises(UsageError, match="unknown dtype 'fp32'"):
        dtype_of("fp32", cpu)
