"""A process that measures itself: replay, statistics and report of a made trace, and what they took.

`python -m tests.chaos.loaded PROMPTS GROUPS CLUSTERS` prints processor seconds, the peak of memory and the sizes.
"""

import json
import resource
import sys
import time

from specfair.audit import rows
from specfair.report import page, render_html, render_markdown
from specfair.traces.measured import Measured
from specfair.traces.replay import Lookahead
from tests.made_traces import crowd


def main(n: int, n_groups: int, n_clusters: int) -> dict[str, float]:
    """One stage, from the trace to the page."""
    trace = crowd(n, n_groups=n_groups, n_clusters=n_clusters)
    start = time.process_time()
    tables = rows.of_stage(Measured(trace, Lookahead()), ("", "before"), lambda ids: " ".join(map(str, ids)))
    groups = tuple(dict.fromkeys(p.group for p in trace.prompts))
    report = page.Report(created="2026-01-01T00:00:00", command="pytest", groups=groups, **tables)
    stored, html, short = report.to_json(), render_html(report), render_markdown(report)
    return {
        "seconds": time.process_time() - start,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0,  # Linux counts in KiB
        "html": len(html.encode()),
        "json": len(stored.encode()),
        "markdown": len(short.encode()),
    }


if __name__ == "__main__":
    print(json.dumps(main(*map(int, sys.argv[1:]))))
