"""What it costs to let one worker of a Ray cluster do an audit of 10,000 prompts that
this process could do: the figure of docs/scale.md.

    python bench/crew.py          # --tokens 8, --rounds 3

Both ways in turn, each into a store of its own. Starting Ray, importing torch and
opening the pair are not counted. Knows wall time, and processor time of this process
with all that Ray starts beneath it; not networks, as everything is on this machine.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from specfair.audit.audit import Audit
from specfair.audit.lending import open_pair
from specfair.config import Settings
from specfair.texts.prompts import load
from specfair.vocabulary import BASE

N_PROMPTS = 10_000


def main() -> None:
    """Print each round, and the median of their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--tokens", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        place = Path(folder)
        settings = Settings(
            prompts=f"file:{written(place / 'prompts.jsonl')}",
            max_new_tokens=asked.tokens,
            cost_ratio=0.2,  # a measurement of its own
        )
        audited(replace(settings, store=str(place / "first"), prompts_per_group=10))
        found = []
        for i in range(asked.rounds):
            alone = audited(replace(settings, store=str(place / f"alone{i}")))
            crew = replace(settings, store=str(place / f"ray{i}"), workers="ray:1")
            found.append([b / a for a, b in zip(alone, audited(crew), strict=True)])
            print(
                f"alone {alone[0]:.1f} s, processors {alone[1]:.1f} s; ray:1 over it:"
            )
            print(f"  wall {found[-1][0]:.3f}, processors {found[-1][1]:.3f}")
    wall, used = map(statistics.median, zip(*found, strict=True))
    print(f"medians: wall {wall:.3f}, processors {used:.3f}")


def written(path: Path) -> Path:
    """The embedded prompts, again and again behind other beginnings."""
    some = list(load("embedded"))
    with path.open("w", encoding="utf-8") as file:
        for i in range(N_PROMPTS):
            prompt, n = some[i % len(some)], i // len(some)
            row = {"group": prompt.group, "identity": prompt.cluster}
            text = f"On day {n} of the week it was said: {prompt.text}"
            file.write(json.dumps(row | {"template": prompt.id, "text": text}) + "\n")
    return path


def audited(settings: Settings) -> tuple[float, float]:
    """Seconds of the base pair's audit, on the clock and of processors."""
    audit = Audit(settings)
    with ready(audit):
        began, before = time.perf_counter(), processors()
        audit.measure([BASE])
        took, used = time.perf_counter() - began, processors()
    return took, sum(n - before.get(pid, 0.0) for pid, n in used.items())


@contextmanager
def ready(audit: Audit) -> Iterator[None]:
    """Workers have the pair open, where there are any."""
    with audit.made.pairs.lent(BASE) as loan:
        if audit.settings.workers:
            loan.work().rules()
            yield
            return
    with open_pair(audit.made.pairs.choice(BASE), tiny=True):
        pass  # what is imported once is imported
    yield


def processors() -> dict[int, float]:
    """Seconds of this process and of each beneath it."""
    found = {}
    for process in (own := psutil.Process(), *own.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # of a crew that was just let go
            times = process.cpu_times()
            found[process.pid] = times.user + times.system
    return found


if __name__ == "__main__":
    main()
