"""The measurements behind docs/performance.md: each a ratio of two ways taken in one run, one after the other in turn.

    python bench/run.py              all of them: bench/results.json and the table in docs/performance.md
    python bench/run.py sweep floor  only these; the others stay as they were

Knows what is compared with what. Machines are noisy: the figures are ratios, and the machine is named beside them.
"""

import json
import os
import platform
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import measurements as m
import torch

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results.json"
PAGE = ROOT / "docs" / "performance.md"
MARKS = ("<!-- table: made by bench/run.py -->", "<!-- end of table -->")

MEASUREMENTS: Mapping[str, Callable[[m.World], Mapping[str, Any]]] = {
    "sweep_greedy": m.sweep_greedy,
    "sweep_sampling": m.sweep_sampling,
    "floor_greedy": m.floor_greedy,
    "floor_sampling": m.floor_sampling,
    "second_draft": m.second_draft,
    "live": m.live,
    "growth": m.growth,
    "bootstrap": m.bootstrap,
}


def main(names: list[str]) -> int:
    """Run, keep, and put the table into the page."""
    chosen = [name for name in MEASUREMENTS if not names or any(name.startswith(asked) for asked in names)]
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    world = m.World()
    for name in chosen:
        print(f"{name} ...", flush=True)
        results[name] = dict(MEASUREMENTS[name](world)) | {"machine": machine()}
        print(f"  {results[name]}", flush=True)
        RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    write_table(results)
    return 0


def machine() -> str:
    """What it ran on, without names of hosts."""
    where = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{os.cpu_count()} CPU cores"
    return f"{where}, {torch.get_num_threads()} threads, torch {torch.__version__}, Python {platform.python_version()}"


def write_table(results: Mapping[str, Mapping[str, Any]]) -> None:
    """Replace the table between the marks."""
    rows = ["| measurement | figure | target | how |", "| --- | --- | --- | --- |"]
    for name in MEASUREMENTS:
        found = results.get(name)
        rows.append(
            f"| {name} | {found['figure']} | {found['target']} | {found['how']} |"
            if found
            else f"| {name} | not yet run | | |"
        )
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    machines = sorted({r["machine"] for r in results.values()})
    table = "\n".join([MARKS[0], "", *rows, "", f"Measured on: {'; '.join(machines)}.", "", MARKS[1]])
    PAGE.write_text(before + table + after, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
