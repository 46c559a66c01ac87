"""What a machine has and lacks for running specfair: versions, devices, offline state,
the store's size.

Only looks; installs, downloads and deletes nothing.
"""

import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

NEEDED = (
    "torch",
    "transformers",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "pytest",
    "jinja2",
)
OPTIONAL = {
    "datasets": "datasets from the hub",
    "pytest-xdist": "pytest -n 2",
    "pytest-benchmark": "evals/test_speed.py",
}


def examine(store: Path) -> tuple[list[str], bool]:
    """Lines to print, and whether all that is needed is there."""
    lines = [f"specfair {_version('specfair') or 'not installed'}"]
    missing = [name for name in NEEDED if _version(name) is None]
    lines += [f"{name} {_version(name) or 'MISSING'}" for name in NEEDED]
    lines += [
        f"{name} {_version(name) or f'missing: needed for {use}'}"
        for name, use in OPTIONAL.items()
    ]
    if "torch" not in missing:
        lines.append(f"devices: {_devices()}")
    online = "online when something is not in its cache"
    lines.append(f"hub: {'offline (HF_HUB_OFFLINE)' if _offline() else online}")
    lines.append(f"store {store}: {_size(store)}")
    if missing:
        lines.append(
            f"missing: {', '.join(missing)}. Install with: pip install specfair"
        )
    return lines, not missing


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _devices() -> str:
    import torch

    found = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    found += ["mps"] * torch.backends.mps.is_available()
    return ", ".join([*found, f"cpu ({torch.get_num_threads()} threads)"])


def _offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "0").upper() in ("1", "TRUE", "YES", "ON")


def _size(store: Path) -> str:
    # unlike Path.is_dir, whatever the name
    walk = os.walk(store) if os.path.isdir(store) else ()
    files = [os.path.join(folder, name) for folder, _, names in walk for name in names]
    damaged = (
        sum(".key.json" not in f.name for f in store.glob("*/*.corrupt"))
        if files
        else 0
    )  # their manifests lie beside them
    text = f"{len(files):,} files, {sum(map(_bytes, files)) / 1e6:,.1f} MB"
    return f"{text}, {damaged} set aside as damaged" if damaged else text


def _bytes(file: str) -> int:
    """0 for what is gone or unreadable by now."""
    try:
        return os.lstat(file).st_size
    except OSError:
        return 0
