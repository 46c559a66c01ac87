"""A process that measures itself: replay, statistics and report of a made trace, and
what they took.

`python -m tests.chaos.loaded PROMPTS GROUPS CLUSTERS` prints processor seconds, the
peak of memory and the sizes.
"""

import json
import resource
import sys
import time
from pathlib import Path

from specfair.audit import rows
from specfair.report import render_html, render_markdown
from specfair.run.run import Run
from specfair.traces.measured import Measured
from specfair.traces.replay import Lookahead
from specfair.vocabulary import BASE
from tests.made_traces import crowd


def peak() -> float:
    """The most memory held so far. Not what getrusage says: that starts from what the
    parent held.
    """
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    high = next((line.split()[1] for line in lines if line.startswith("VmHWM")), None)
    return 1024.0 * (
        float(high) if high else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    )


def main(n: int, n_groups: int, n_clusters: int) -> dict[str, float]:
    """One stage, from the trace to the page."""
    trace = crowd(n, n_groups=n_groups, n_clusters=n_clusters)
    start = time.process_time()
    tables = rows.of_stage(
        Measured(trace, Lookahead()),
        BASE,
        lambda ids: " ".join(map(str, ids)),
    )
    groups = tuple(dict.fromkeys(p.group for p in trace.prompts))
    report = Run(
        created="2026-01-01T00:00:00", command="pytest", groups=groups, **tables
    )
    stored, html, short = report.to_json(), render_html(report), render_markdown(report)
    return {
        "seconds": time.process_time() - start,
        "peak": peak(),
        "html": len(html.encode()),
        "json": len(stored.encode()),
        "markdown": len(short.encode()),
    }


if __name__ == "__main__":
    print(json.dumps(main(*map(int, sys.argv[1:]))))
