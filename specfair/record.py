"""What a run leaves behind: measured traces turned into the rows of a Report, and the files written from it.

Knows which figures a reader wants to see for every stage; it does not know which of them were gated, nor how they are
drawn. Everything here is computed from stored traces, so a report costs no model call.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from specfair import baseline, ci, rows, timing
from specfair.agreement import NEAR_TIE
from specfair.audit import Audit
from specfair.config import BASE, TUNED, Settings
from specfair.errors import UsageError
from specfair.metrics import METRICS
from specfair.report import page, render_markdown
from specfair.session import Session, invoked, snapshot
from specfair.store import write_text_atomically
from specfair.tracing import versions


def build(session: Session) -> page.Report:
    """The Report of everything this process was asked about and has measured."""
    audit = session.measured
    empty = _empty(session)
    if audit is None:
        return empty
    datasets = tuple(s for s in audit.stages if s != BASE)
    empty = replace(
        empty,
        groups=audit.prompts.groups,
        datasets=datasets,
        prompts=audit.prompts.sentence,
        sources={d: audit.corpus(d).source for d in datasets if d != TUNED},
        notes=audit.notes,
        provenance=_provenance(audit),
    )
    tables: list[dict[str, Any]] = [rows.of_stage(audit.base, ("", "before"), audit.tokens, say=audit.say)]
    for dataset in datasets:
        after = rows.of_stage(audit.after(dataset), (dataset, "after"), audit.tokens, say=audit.say)
        tables += [after, _of_dataset(audit, dataset)]
    tables += [_against(session, audit)]
    tables.append({"examples": tuple(row for v in empty.verdicts for row in rows.examples(audit, v))})
    return merge([empty, *(replace(empty, **table) for table in tables)])


def _empty(session: Session) -> page.Report:
    settings = session.measured.settings if session.measured else session.settings
    return page.Report(
        created=_now().isoformat(timespec="seconds"),
        command=invoked(),
        groups=(),
        target=settings.target,
        draft=settings.draft,
        decoding=str(settings.decoding),
        lookahead=settings.lookahead,
        settings=_shared(settings),
        definitions={name: d.sentence for name, d in METRICS.items()} | {timing.METRIC: timing.DEFINITION},
        verdicts=tuple(session.verdicts.values()),
    )


def _now() -> datetime:
    """The time, or the one that reproducible builds agree on."""
    agreed = os.environ.get("SOURCE_DATE_EPOCH", "")
    return datetime.fromtimestamp(int(agreed), UTC) if agreed.isdecimal() else datetime.now(UTC)


def part(session: Session) -> dict[str, str]:
    """What one process found, in a form that can be sent to another."""
    found = {"report": build(session).to_json(), "ungated": json.dumps(session.ungated)}
    audit = session.measured
    if audit is not None:
        found["baseline"] = baseline.dumps(snapshot(audit, audit.stages))
    return found


def merge(parts: Iterable[page.Report]) -> page.Report:
    """One Report with the rows of all parts, each once, in the order they come."""
    reports = list(parts)
    first = next((r for r in reports if r.groups), reports[0])  # a process may have measured nothing
    tables: dict[str, Any] = {
        name: tuple({repr(row): row for report in reports for row in getattr(report, name)}.values())
        for name in page.ROWS
    }
    verdicts = {(v["case"], v["gate"], v["reproduce"]): v for r in reports for v in r.verdicts}
    datasets = tuple(dict.fromkeys(d for r in reports for d in r.datasets))
    sources = {d: s for r in reports for d, s in r.sources.items()}
    return replace(first, verdicts=tuple(verdicts.values()), datasets=datasets, sources=sources, **tables)


def write(parts: list[dict[str, str]], settings: Settings) -> list[str]:
    """Merge what the processes found, write .html, .json and .md, and return the lines of the summary."""
    report = merge(page.Report.from_json(part["report"]) for part in parts)
    missing = write_files(report, Path(settings.report))
    ungated = sum((Counter(json.loads(part["ungated"])) for part in parts), Counter[str]())
    return [*summary(report, os.path.relpath(settings.report), ungated), *missing, *ci.publish(report)]


def write_files(report: page.Report, place: Path) -> list[str]:
    """The stored run, then its two readable forms beside it; returns what could not be drawn, in words.

    What was measured is on disk before anything is drawn: a machine that measures may lack the libraries for charts.
    """
    write_text_atomically(place.with_suffix(".json"), report.to_json())
    write_text_atomically(place.with_suffix(".md"), render_markdown(report))
    try:
        from specfair.report import render_html
    except ModuleNotFoundError as error:
        again = f"specfair report {place.with_suffix('.json').name} --out {place.with_suffix('.html').name}"
        return [f"no page was drawn: {error.name} is not installed. Install it, or elsewhere: {again}"]
    write_text_atomically(place.with_suffix(".html"), render_html(report))
    return []


def keep_baseline(parts: list[dict[str, str]], name: str, *, root: Path, update: bool) -> list[str]:
    """Save what the processes measured as a baseline; returns what changed."""
    if not name:
        raise UsageError("--specfair-update-baseline does not say which. Add --specfair-baseline NAME.")
    found = [baseline.loads(part["baseline"], name) for part in parts if "baseline" in part]
    if not found:
        raise UsageError(f"baseline {name!r} would be empty: nothing was measured. Run evals that measure a pair.")
    return baseline.save(baseline.merge(found), name, root=root, update=update)


def summary(report: page.Report, place: str, ungated: Mapping[str, int]) -> list[str]:
    """What the terminal says: the count of verdicts, the worst gap, where to look and what to run next."""
    counted = {d: sum(v["decision"] == d for v in report.verdicts) for d in ("pass", "fail", "insufficient", "invalid")}
    lines = ["verdicts: " + ", ".join(f"{n} {name}" for name, n in counted.items() if n or name in ("pass", "fail"))]
    gaps = [g for g in report.gaps if g.metric == report.metric and g.lookahead == report.lookahead]
    if gaps:
        worst = max(gaps, key=lambda g: g.gap)
        lines.append(
            f"worst gap: {worst.gap:.3f} [{worst.low:.3f}, {worst.high:.3f}] in {worst.metric} "
            f"{'after ' + worst.dataset if worst.dataset else 'before fine-tuning'}: "
            f"{worst.lowest_group} is slowest, {worst.highest_group} fastest"
        )
    gone = [row.name for row in report.baseline if row.decision == "gone"]
    if gone:
        lines.append(f"stale in the baseline, measured no more: {', '.join(gone)}; save it anew to drop what is gone")
    if ungated:
        asked = ", ".join(f"{n} {kind}" for kind, n in ungated.items())
        lines.append(f"without a bound, so not judged: {asked}; bounds go into [tool.specfair.gates]")
    if counted["insufficient"]:
        lines.append("undecided cases passed; --specfair-strict fails them, more prompts decide them")
    return [*lines, f"report: {place}"]


def _shared(settings: Settings) -> dict[str, object]:
    """The settings without what says where things lie on this machine."""
    return {k: v for k, v in asdict(settings).items() if k not in ("store", "report", "gates")}


def _provenance(audit: Audit) -> dict[str, object]:
    header = asdict(audit.base.trace.header)
    header |= {"decoding": str(audit.base.trace.header.decoding), "licence": audit.prompts.licence}
    near_ties = int((audit.base.trace["margin"] < NEAR_TIE).sum())
    counted = {"n_prompts": len(audit.prompts), "n_tokens": audit.base.trace.n_tokens, "n_near_ties": near_ties}
    return header | {"synthetic": audit.prompts.synthetic, **counted, **versions()}


def _against(session: Session, audit: Audit) -> dict[str, tuple[Any, ...]]:
    """The rows of the baseline this run was compared with, if it was."""
    stored = session.baselines.get(audit.settings.baseline)
    if stored is None:
        return {}
    stages = [stage for stage in audit.stages if stage in stored.counts]
    configured = (BASE, *audit.settings.compared)
    return {"baseline": tuple(rows.against(stored, snapshot(audit, stages), configured))} if stages else {}


def _of_dataset(audit: Audit, dataset: str) -> dict[str, tuple[Any, ...]]:
    """The rows that compare before with after one dataset."""
    found = {"estimates": rows.changes(audit, dataset), "training": tuple(rows.training(audit, dataset))}
    if dataset == TUNED:
        return found
    mentions = rows.mentions(dataset, audit.mentions(dataset))
    return found | {"mentions": mentions, "frequency": (rows.frequency(dataset, audit.frequency(dataset)),)}
