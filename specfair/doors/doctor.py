"""What a machine has and lacks for running specfair: versions, devices, offline state,
the store's size.

Only looks; installs, downloads and deletes nothing.
"""

import argparse
import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from specfair.doors.printing import show
from specfair.errors import counted
from specfair.models.identity import usual_here
from specfair.vocabulary import OK, UNDECIDED

NEEDED = (
    *("torch", "transformers", "numpy", "scipy", "pandas", "pyarrow", "pytest"),
    "jinja2",
)
OPTIONAL = {
    "datasets": "datasets from the hub",
    "pytest-xdist": "pytest -n 2",
    "pytest-benchmark": "evals/test_speed.py",
}


def report(options: argparse.Namespace) -> int:
    """Print what was found; undecided where something that is needed is missing."""
    lines, complete = examine(Path(options.store))
    show(*lines)
    return OK if complete else UNDECIDED


def examine(store: Path) -> tuple[list[str], bool]:
    """Lines to print, and whether all that is needed is there."""
    missing = [name for name in NEEDED if not _version(name)]
    lines = [f"specfair {_version('specfair') or 'not installed'}"]
    lines += [f"{name} {_version(name) or 'MISSING'}" for name in NEEDED]
    for name, use in OPTIONAL.items():
        lines.append(f"{name} {_version(name) or f'missing: needed for {use}'}")
    if "torch" not in missing:
        lines.append(f"devices: {_devices()}")
    online = "online when something is not in its cache"
    lines.append(f"hub: {'offline (HF_HUB_OFFLINE)' if _offline() else online}")
    lines.append(f"transformers' usual lookahead here: {usual_here()}")
    lines.append(f"store {store}: {_size(store)}")
    if missing:
        lines.append(
            f"missing: {', '.join(missing)}. Install with: pip install specfair"
        )
    return lines, not missing


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _devices() -> str:
    import torch

    found = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("mps")
    return ", ".join([*found, f"cpu ({counted(torch.get_num_threads(), 'thread')})"])


def _offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "0").upper() in ("1", "TRUE", "YES", "ON")


def _size(store: Path) -> str:
    # unlike Path.is_dir, whatever the name
    walk = os.walk(store) if os.path.isdir(store) else ()
    files = [os.path.join(folder, name) for folder, _, names in walk for name in names]
    text = f"{len(files):,} files, {sum(map(_bytes, files)) / 1e6:,.1f} MB"
    if not files:
        return text
    # their manifests lie beside them
    damaged = sum(".key.json" not in f.name for f in store.rglob("*.corrupt"))
    return f"{text}, {damaged} set aside as damaged" if damaged else text


def _bytes(file: str) -> int:
    """0 for what is gone or unreadable by now."""
    try:
        return os.lstat(file).st_size
    except OSError:
        return 0
