"""Names of devices and dtypes to what torch calls them, what `auto` means here, whether
a device's memory held, and how many threads work.

Knows this machine; does not know models.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from specfair import workers
from specfair.errors import ModelError, UsageError, unknown

DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
DEVICES = ("auto", "cuda", "mps", "cpu")

# what allocators that do not raise OutOfMemoryError say: drivers, BLAS handles, the
# CPU's on Linux and elsewhere
_NO_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "alloc_failed",
)


def device_of(name: str) -> torch.device:
    """auto is the first of cuda, mps and cpu that is here, of several GPUs each worker
    its own; a device may carry a number, as in cuda:1.
    """
    kind, colon, number = name.partition(":")
    if kind not in DEVICES:
        raise UsageError(unknown("device", name, DEVICES))
    n_present = {
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
        "cpu": 1,
    }
    if kind == "auto":
        first = next(name for name, n in n_present.items() if n)
        if n_present[first] > 1:
            return torch.device(first, workers.here().local % n_present[first])
        return torch.device(first)
    if (colon and not number.isdecimal()) or int(number or 0) >= n_present[kind]:
        raise UsageError(
            f"device {name!r} is not available; this machine has "
            f"{n_present[kind]} of {kind}. Use auto or cpu."
        )
    return torch.device(name)


def dtype_of(name: str, device: torch.device) -> torch.dtype:
    """auto is bfloat16 on a GPU that has it, else float32, in which results do not
    depend on the batch.
    """
    if name == "auto":
        half = device.type == "cuda" and torch.cuda.is_bf16_supported()
        return torch.bfloat16 if half else torch.float32
    if name not in DTYPES:
        raise UsageError(unknown("dtype", name, ("auto", *DTYPES)))
    return DTYPES[name]


def ran_out(error: BaseException) -> bool:
    """Whether this says that memory ran out, in any of the ways allocators have of
    saying it.
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(
        words in str(error).lower() for words in _NO_MEMORY
    )


def fits(work: Callable[[], object]) -> bool:
    """Do it; False where memory ran out, and what the attempt held is free again."""
    try:
        work()
        return True
    except (MemoryError, RuntimeError) as error:
        if not ran_out(error):
            raise
    # outside the handler: the error holds the frames that hold the memory
    torch.cuda.empty_cache()
    return False


@contextmanager
def sharing_cores(*, tiny: bool) -> Iterator[None]:
    """Threads that outnumber free cores wait for one another: meanwhile a worker of
    xdist takes its share, tiny models one.
    """
    before = torch.get_num_threads()
    counts = ("LOCAL_WORLD_SIZE", "PYTEST_XDIST_WORKER_COUNT")
    n_workers = next((int(os.environ[n]) for n in counts if n in os.environ), 1)
    if tiny:
        torch.set_num_threads(1)
    elif n_workers > 1:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // n_workers))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def does_not_fit(
    prompt: str, n_tokens: int, *, n_new: int, device: torch.device
) -> ModelError:
    """For a prompt that is too large alone: no batch is smaller."""
    return ModelError(
        f"prompt {prompt!r} does not fit into the memory of {device} even in a batch "
        "of 1: "
        f"{n_tokens} tokens and {n_new} new ones, beside both models. "
        "Shorten it, lower max_new_tokens, choose dtype bfloat16 or a device with "
        "more memory."
    )
