"""How much is too much: prompts by the hundred thousand, groups by the hundred. Each
size in a process of its own.
"""

import json
import math
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tests.chaos.conftest import Chaos

ROOT = Path(__file__).parents[2]
GIB = 2.0**30
GROWTH = 1.1  # the exponent of processor time over prompts
SHAPES = {"80 identities a group": 80, "every prompt an identity of its own": 0}


def loaded(n: int, n_groups: int, n_clusters: int) -> dict[str, float]:
    """What tests/chaos/loaded.py says of itself; one thread, so that seconds of cores
    are not added up.
    """
    one = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
    )
    clean = {k: v for k, v in os.environ.items() if not k.startswith("COV")} | one
    command = [
        sys.executable,
        "-m",
        "tests.chaos.loaded",
        *map(str, (n, n_groups, n_clusters)),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=clean, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("shape", SHAPES)
def test_time_and_memory_grow_no_faster_than_prompts(chaos: Chaos, shape: str) -> None:
    """Ten times the prompts take at most 10^1.1 times as long, however little the first
    ones took.
    """
    sizes: tuple[int, ...] = (2_000, 20_000, 200_000) if chaos.full else (500, 4_000)
    if not chaos.full and SHAPES[shape]:
        sizes = sizes[-1:]
    with chaos.promise(
        "load",
        (
            f"200,000 prompts of 32 tokens, {shape}: under 2 GiB, exponent at most "
            f"{GROWTH}"
        ),
    ) as tried:
        found = [loaded(n, 10, SHAPES[shape]) for n in sizes]
        for (few, a), (many, b) in pairwise(zip(sizes, found, strict=True)):
            assert math.log(b["seconds"] / a["seconds"]) <= GROWTH * math.log(
                many / few
            ), (a, b)
        for n, took in zip(sizes, found, strict=True):
            assert took["peak"] < 2 * GIB if chaos.full else took["peak"] < 0.5 * GIB, (
                took
            )
            tried.case()
            tried.note(f"{n:,} prompts: seconds", round(took["seconds"]))
            tried.note(f"{n:,} prompts: MiB", round(took["peak"] / 2**20))


def test_groups_by_the_hundred(chaos: Chaos) -> None:
    """Pairs of groups grow with their square; time, memory and the page may not."""
    n = chaos.n(full=200, reduced=60)
    with chaos.promise(
        "load",
        "200 groups: statistics and report in 20 s and 1 GiB, the page under 5 MB",
    ) as tried:
        took = loaded(10 * n, n, 10)
        tried.case()
        for what, much in (
            ("seconds", took["seconds"]),
            ("MiB", took["peak"] / 2**20),
            ("kB", took["html"] / 1000),
        ):
            tried.note(f"{n} groups: {what}", round(much))
        assert took["seconds"] < 20, took
        assert took["peak"] < (1 if chaos.full else 0.5) * GIB, took
        assert took["html"] < 5e6 * n / 200, took
        assert took["json"] < 5e6 * n / 200, took
