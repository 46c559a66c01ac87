"""Names of devices and dtypes to what torch calls them, and what `auto` means here.

Knows this machine; does not know models.
"""

import torch

from specfair.errors import UsageError, unknown

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
DEVICES = ("auto", "cuda", "mps", "cpu")


def device_of(name: str) -> torch.device:
    """auto is the first of cuda, mps and cpu that is here; a device may carry a number, as in cuda:1."""
    kind, colon, number = name.partition(":")
    if kind not in DEVICES:
        raise UsageError(unknown("device", name, DEVICES))
    n_present = {
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
        "cpu": 1,
    }
    if kind == "auto":
        return torch.device(next(name for name, n in n_present.items() if n))
    if (colon and not number.isdecimal()) or int(number or 0) >= n_present[kind]:
        raise UsageError(
            f"device {name!r} is not available; this machine has {n_present[kind]} of {kind}. Use auto or cpu."
        )
    return torch.device(name)


def dtype_of(name: str, device: torch.device) -> torch.dtype:
    """auto is bfloat16 on a GPU that has it, else float32, in which results do not depend on the batch."""
    if name == "auto":
        half = device.type == "cuda" and torch.cuda.is_bf16_supported()
        return torch.bfloat16 if half else torch.float32
    if name not in DTYPES:
        raise UsageError(unknown("dtype", name, ("auto", *DTYPES)))
    return DTYPES[name]
