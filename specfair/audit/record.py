"""What a run leaves behind: measured traces turned into the rows of a Report, and the
files written from it.

Knows which figures a reader wants to see for every stage; it does not know which of
them were gated, nor how they are drawn. Everything here is computed from stored traces,
so a report costs no model call.
"""

import json
import math
import os
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from specfair import outputs
from specfair.audit import ci, rows
from specfair.audit.audit import Audit
from specfair.audit.session import Session, invoked, snapshot
from specfair.audit.tracing import versions
from specfair.config import Settings
from specfair.engine import timing
from specfair.engine.agreement import NEAR_TIE
from specfair.errors import SpecfairError, StoreError, UsageError, as_typed, plain
from specfair.gates import baseline
from specfair.outputs import Outputs
from specfair.report import render_markdown
from specfair.run.rows import GapRow
from specfair.run.run import Run, merge
from specfair.store import write_text_atomically
from specfair.vocabulary import BASE, METRICS, TUNED, Stage

T = TypeVar("T")
# of cases, in a report's provenance; absent where all were asked
SELECTION = "selection"


def build(session: Session) -> Run:
    """Everything this process was asked about and has measured, as a stored copy reads:
    what is drawn is what is stored.
    """
    audit = session.measured
    empty = _empty(session)
    if audit is None:
        return empty
    datasets = tuple(s.dataset for s in audit.stages if s.tuned)
    empty = replace(
        empty,
        groups=audit.prompts.groups,
        datasets=datasets,
        prompts=audit.prompts.sentence,
        sources={d: audit.corpus(d).source for d in datasets if d != TUNED},
        notes=audit.notes,
        provenance=_provenance(audit),
    )
    tables: list[dict[str, Any]] = []
    # the base pair is measured even where no test asked about it
    for stage in dict.fromkeys((BASE, *audit.stages)):
        measured = audit.measured(stage)
        tables.append(rows.of_stage(measured, stage, audit.tokens, say=audit.say))
        if stage.tuned:
            tables.append(_of_change(audit, stage))
    tables += [_against(session, audit)]
    own = [v for v in empty.verdicts if not empty.elsewhere(v)]
    tables.append(
        {"examples": tuple(row for v in own for row in rows.examples(audit, v))}
    )
    whole = merge([empty, *(replace(empty, **table) for table in tables)])
    return Run.from_json(whole.to_json())


def _empty(session: Session) -> Run:
    settings = session.measured.settings if session.measured else session.settings
    return Run(
        created=_now().isoformat(timespec="seconds"),
        command=invoked(),
        groups=(),
        target=settings.target,
        draft=settings.draft,
        decoding=str(settings.decoding),
        lookahead=settings.lookahead,
        settings=_shared(settings),
        definitions={name: d.sentence for name, d in METRICS.items()}
        | {timing.METRIC: timing.DEFINITION},
        verdicts=tuple(session.verdicts.values()),
    )


def _now() -> datetime:
    """The time, or the one that reproducible builds agree on."""
    agreed = os.environ.get("SOURCE_DATE_EPOCH", "")
    return (
        datetime.fromtimestamp(int(agreed), UTC)
        if agreed.isdecimal()
        else datetime.now(UTC)
    )


def part(session: Session) -> dict[str, str]:
    """What one process found, in a form that can be sent to another. Verdicts are kept
    whatever becomes of tables.
    """
    lost: list[str] = []
    report = _tried(
        "the tables of the report could not be made", lambda: build(session), lost
    )
    found = {
        "report": (report or _empty(session)).to_json(),
        "ungated": json.dumps(session.ungated),
    }
    audit = session.measured
    if audit is not None:
        kept = snapshot(audit, audit.stages)
        wrong = baseline.invalid(kept) or next(
            filter(
                None,
                (session.doubts.get((audit.settings, s), "") for s in audit.stages),
            ),
            "",
        )
        found |= {"invalid": wrong} if wrong else {"baseline": baseline.dumps(kept)}
    return found | {"lost": json.dumps(lost)}


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the results: lines to print last, and whether any of them is a
    loss.
    """

    lines: tuple[str, ...]
    lost: bool
    report: Run


def write(
    parts: list[dict[str, str]],
    settings: Settings,
    *,
    selection: str = "",
    chosen: bool = False,
) -> Written:
    """Merge what the processes found and write it; nothing that goes wrong keeps the
    rest from being written.

    `selection` says in words which cases were asked for, where not all were. Such a run
    never overwrites the report of a whole one, unless its place was `chosen`.
    """
    report = merge(Run.from_json(part["report"]) for part in parts)
    lost = [line for part in parts for line in json.loads(part.get("lost", "[]"))]
    to, aside = outputs.of(settings.report), []
    if selection:
        report = replace(
            report,
            notes=(*report.notes, f"a selection of the cases: {selection}"),
            provenance={**report.provenance, SELECTION: selection},
        )
        if not chosen and _is_whole(to.json):
            aside = [
                (
                    f"a selection of the cases ({selection}); {_shown(to.html)} "
                    "still shows the whole run"
                )
            ]
            to = outputs.beside(to, "-part")
    place, said = write_files(report, to, lost)
    ungated = sum(
        (Counter(json.loads(part["ungated"])) for part in parts), Counter[str]()
    )
    lines = [*summary(report, place, ungated), *aside, *said]
    _tried("the step summary could not be written", lambda: ci.summarize(report), lost)
    return Written(
        (*map(plain, [*lines, *lost]), *ci.commands(report)), bool(lost), report
    )


def _is_whole(stored: Path) -> bool:
    """Whether a report of all cases stands there; what cannot be read might be one."""
    if not os.path.lexists(stored):
        return False
    try:
        return not Run.from_json(stored.read_text(encoding="utf-8")).provenance.get(
            SELECTION
        )
    except (OSError, ValueError, SpecfairError):
        return True


def write_files(report: Run, to: Outputs, lost: list[str]) -> tuple[str, list[str]]:
    """The stored run, then its two readable forms beside it; each is written whatever
    became of the others.

    Returns where to look, and what was not drawn, in words; what could not be written
    is added to `lost`. What was measured is on disk before anything is drawn: a machine
    that measures may lack the libraries for charts.
    """
    forms: dict[Path, Callable[[Run], str]] = {
        to.json: Run.to_json,
        to.md: render_markdown,
    }
    said = []
    try:
        from specfair.report import render_html

        forms[to.html] = render_html
    except ModuleNotFoundError as error:
        again = as_typed(["specfair", "report", to.json.name, "--out", to.html.name])
        said = [
            (
                f"no page was drawn: {error.name} is not installed. Install it, or "
                f"elsewhere: {again}"
            )
        ]

    def written(path: Path) -> Path:
        write_text_atomically(path, forms[path](report))
        return path

    made = [
        _tried(f"{_shown(path)} could not be written", partial(written, path), lost)
        for path in forms
    ]
    there = [path for path in (to.html, to.json, to.md) if path in made]
    return (_shown(there[0]) if there else ""), said


def _shown(path: Path) -> str:
    return os.path.relpath(path)


def _tried(what: str, make: Callable[[], T], lost: list[str]) -> T | None:
    """What was made, or None and a line that says why not; whatever fails here, other
    results must still come out.
    """
    try:
        return make()
    except SpecfairError as error:
        lost.append(f"ERROR: {what}: {error}")
    except OSError as error:
        where = f" ({str(error.filename)!r})" if error.filename else ""
        lost.append(f"ERROR: {what}: {error.strerror or error}{where}")
    # a mistake of ours: its traceback comes after the results instead of in their place
    except Exception as error:
        lost.append(f"ERROR: {what}: {type(error).__name__}: {error}")
        lost.extend(
            line
            for text in traceback.format_exception(error)
            for line in text.splitlines()
        )
    return None


def properties(report: Run) -> dict[str, str]:
    """What a JUnit file says of the whole run, so that one on another pair cannot pass
    for it.
    """
    named = {
        name: str(getattr(report, name))
        for name in ("target", "draft", "prompts", "decoding", "lookahead")
    }
    named |= {
        "groups": ", ".join(report.groups),
        SELECTION: str(report.provenance.get(SELECTION, "")),
    }
    return {f"specfair.{name}": value for name, value in named.items() if value}


def keep_baseline(
    parts: list[dict[str, str]], name: str, *, root: Path, update: bool
) -> list[str]:
    """Save what the processes measured as a baseline; returns what changed."""
    wrong = next((part["invalid"] for part in parts if "invalid" in part), "")
    if wrong:
        raise StoreError(
            f"baseline {name!r} is not written: {wrong}. Mend what made the "
            "run invalid and run again."
        )
    found = [
        baseline.loads(part["baseline"], name) for part in parts if "baseline" in part
    ]
    if not found:
        raise UsageError(
            f"baseline {name!r} would be empty: nothing was measured. Run "
            "evals that measure a pair."
        )
    return baseline.save(baseline.merge(found), name, root=root, update=update)


def summary(report: Run, place: str, ungated: Mapping[str, int]) -> list[str]:
    """What the terminal says: what was measured and decided, the worst gap, what to run
    next, where to look.
    """
    lines = [f"measured: {report.about}"] * bool(report.about)
    counted = {
        d: sum(v.decision == d for v in report.verdicts)
        for d in ("pass", "fail", "insufficient", "invalid")
    }
    lines.append(
        "verdicts: "
        + ", ".join(
            f"{n} {name}"
            for name, n in counted.items()
            if n or name in ("pass", "fail")
        )
    )
    others = Counter(filter(None, map(report.elsewhere, report.verdicts)))
    lines += [
        f"of these, {n} about another audit: {about}" for about, n in others.items()
    ]
    here = (report.metric, report.lookahead)
    gaps = [g for g in report.gaps if (g.metric, g.lookahead) == here]
    finite = [g for g in gaps if math.isfinite(g.gap)]
    if finite:
        worst = max(finite, key=lambda g: g.gap)
        lines.append(
            f"worst gap: {worst.gap:.3f} [{worst.low:.3f}, {worst.high:.3f}] in "
            f"{worst.metric} {_at(worst)}: "
            f"{worst.lowest_group} is slowest, {worst.highest_group} fastest"
        )
    lines += [
        f"no gap: {g.metric} {_at(g)} is not a number for every group"
        for g in gaps
        if g not in finite
    ]
    gone = [row.name for row in report.baseline if row.decision == "gone"]
    if gone:
        lines.append(
            f"stale in the baseline, measured no more: {', '.join(gone)}; save "
            "it anew to drop what is gone"
        )
    if ungated:
        asked = ", ".join(f"{n} {kind}" for kind, n in ungated.items())
        lines.append(
            f"without a bound, so not judged: {asked}; bounds go into "
            "[tool.specfair.gates]"
        )
    if counted["insufficient"]:
        lines.append(
            "undecided cases passed; --specfair-strict fails them, more "
            "prompts decide them"
        )
    return [*lines, *[f"report: {place}"] * bool(place)]


def _at(gap: GapRow) -> str:
    return f"after {gap.stage}" if gap.stage.tuned else "before fine-tuning"


def _shared(settings: Settings) -> dict[str, object]:
    """The settings without what says where things lie on this machine."""
    return {
        k: v
        for k, v in asdict(settings).items()
        if k not in ("store", "report", "gates", "root")
    }


def _provenance(audit: Audit) -> dict[str, object]:
    header = asdict(audit.base.trace.header)
    header |= {
        "decoding": str(audit.base.trace.header.decoding),
        "licence": audit.prompts.licence,
    }
    near_ties = int((audit.base.trace["margin"] < NEAR_TIE).sum())
    counted = {
        "n_prompts": len(audit.prompts),
        "n_tokens": audit.base.trace.n_tokens,
        "n_near_ties": near_ties,
    }
    return header | {"synthetic": audit.prompts.synthetic, **counted, **versions()}


def _against(session: Session, audit: Audit) -> dict[str, tuple[Any, ...]]:
    """The rows of the baseline this run was compared with, if it was."""
    stored = session.baselines.get(session.settings.baseline)
    if stored is None:
        return {}
    stages = [stage for stage in audit.stages if stage in stored.counts]
    return (
        {
            "baseline": tuple(
                rows.against(stored, snapshot(audit, stages), audit.settings.stages)
            )
        }
        if stages
        else {}
    )


def _of_change(audit: Audit, stage: Stage) -> dict[str, tuple[Any, ...]]:
    """The rows that compare a stage with the base pair."""
    dataset = stage.dataset
    found = {
        "changes": rows.changes(audit, stage),
        "widenings": (rows.widening(audit, stage),),
        "training": tuple(rows.training(audit, dataset)),
    }
    if dataset == TUNED:
        return found
    mentions = rows.mentions(dataset, audit.mentions(dataset))
    return found | {
        "mentions": mentions,
        "frequency": (rows.frequency(stage, audit.frequency(stage)),),
    }
