"""The measurements behind docs/performance.md: each a ratio of two ways taken in one
run, one after the other in turn.

    python bench/run.py              all of them: bench/results.json and
                                     the table in docs/performance.md
    python bench/run.py sweep floor  only these; the others stay as they were

Knows what is compared with what. Machines are noisy: the figures are ratios, and the
machine is named beside them.
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
    "processed_twice": m.processed_twice,
    "lookups": m.lookups,
    "gates": m.gates,
    "report": m.report,
    "mentions": m.mention_speed,
}
FLOORS = ("floor_greedy", "floor_sampling", "second_draft")
PLANS: Mapping[str, tuple[tuple[str, str], ...]] = {  # by device: measurement and pair
    "cpu": (
        *((name, "embedded") for name in MEASUREMENTS),
        *((name, "study") for name in FLOORS),
    ),
    "cuda": tuple((name, "deep") for name in (*MEASUREMENTS,)[:7]),
}


def main(names: list[str], device: str = "cpu") -> int:
    """Run, keep, and put the table into the page."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    worlds = {pair: m.World(pair, device) for _, pair in PLANS[device]}
    for name, pair in PLANS[device]:
        if not names or any(name.startswith(asked) for asked in names):
            print(f"{name}, {pair} pair ...", flush=True)
            found = dict(MEASUREMENTS[name](worlds[pair])) | {
                "machine": machine(device)
            }
            results.setdefault(device, {})[f"{name}, {pair}"] = found
            print(
                f"  {found['figure']} ({found['target']}): {found['how']}", flush=True
            )
            RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    write_table(results)
    return 0


def machine(device: str) -> str:
    """What it ran on, without names of hosts."""
    where = (
        torch.cuda.get_device_name()
        if device == "cuda"
        else f"{os.cpu_count()} CPU cores"
    )
    return (
        f"{where}, {torch.get_num_threads()} threads, torch {torch.__version__}, "
        f"Python {platform.python_version()}"
    )


def write_table(results: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    """Replace the table between the marks."""
    rows = [
        "| measurement | pair | device | figure | target | how |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for device, plan in PLANS.items():
        for name, pair in plan:
            found = results.get(device, {}).get(f"{name}, {pair}")
            cells = (
                (found["figure"], found["target"], found["how"])
                if found
                else ("not yet run", "", "")
            )
            rows.append(f"| {' | '.join((name, pair, device, *cells))} |")
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    machines = sorted(
        {r["machine"] for found in results.values() for r in found.values()}
    )
    table = "\n".join(
        [MARKS[0], "", *rows, "", f"Measured on: {'; '.join(machines)}.", "", MARKS[1]]
    )
    PAGE.write_text(before + table + after, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
