"""Devices and dtypes by name."""

import pytest
import torch

from specfair.errors import UsageError
from specfair.models.devices import device_of, does_not_fit, dtype_of, fits, ran_out


def machine(
    monkeypatch: pytest.MonkeyPatch, n_cuda: int = 0, *, mps: bool = False
) -> None:
    """A machine with these devices, as torch would report it."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: n_cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n_cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("n_cuda", "mps", "kind"), [(2, False, "cuda"), (0, True, "mps"), (0, False, "cpu")]
)
def test_auto_takes_the_best_there_is(
    monkeypatch: pytest.MonkeyPatch, n_cuda: int, mps: bool, kind: str
) -> None:
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
def test_devices_that_are_not_here(
    monkeypatch: pytest.MonkeyPatch, name: str, says: str
) -> None:
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


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9.05 GB)"),
        RuntimeError(
            "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"
        ),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] err == 0. "
            "DefaultCPUAllocator: can't allocate memory: you ..."
        ),
        MemoryError(),
    ],
    ids=lambda error: f"{type(error).__name__}: {error}"[:40],
)
def test_every_way_of_saying_that_memory_ran_out(error: Exception) -> None:
    def work() -> None:
        raise error

    assert ran_out(error)
    assert not fits(work)


def test_what_fits_and_what_is_another_error() -> None:
    assert fits(lambda: None)
    assert not fits(lambda: torch.empty(1 << 62, dtype=torch.uint8))
    with pytest.raises(RuntimeError, match="shapes"):
        fits(lambda: torch.ones(2, 3) @ torch.ones(2, 3))


def test_what_does_not_fit_is_named_with_the_way_out() -> None:
    said = str(does_not_fit("p\n3", 412, n_new=20, device=torch.device("cuda", 0)))
    assert said.startswith(
        r"prompt 'p\n3' does not fit into the memory of cuda:0 even in a batch "
        r"of 1: 412 tokens and 20"
    )
    assert "max_new_tokens" in said
