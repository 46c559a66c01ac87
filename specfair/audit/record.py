"""What a process found: measured traces turned into the rows of a Run, and what can be
kept of them as a baseline.

Knows which figures a reader wants to see for every stage; it does not know which of
them were gated, nor what becomes of a Run.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from specfair.audit import rows, slicing, token_rows
from specfair.audit.audit import Audit
from specfair.audit.case import invoked
from specfair.audit.rivals import draft_rows
from specfair.audit.session import Session, snapshot
from specfair.audit.text_rows import text_rows
from specfair.audit.waiting import wait_rows
from specfair.audit.writing import tried, with_chance
from specfair.config import Settings
from specfair.engine import timing
from specfair.engine.agreement import NEAR_TIE
from specfair.errors import StoreError, UsageError
from specfair.gates import baseline, kept
from specfair.models.identity import usual_here, versions
from specfair.outputs import without_folders
from specfair.run.rows import SwapRow
from specfair.run.run import Run, merge
from specfair.run.summary import LIMITS
from specfair.vocabulary import BASE, METRICS, TUNED, Stage


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
        target=audit.identity(BASE).target_name,
        draft=audit.identity(BASE).draft_name,
        lookahead=str(audit.base.lookahead),
        metric=audit.base.gated,
    )
    tables: list[dict[str, Any]] = []
    # the base pair is measured even where no test asked about it
    for stage in dict.fromkeys((BASE, *audit.stages)):
        measured = audit.measured(stage)
        tables.append(rows.of_stage(measured, stage, audit.tokens, say=audit.say))
        tables.append({"slices": tuple(slicing.stored(audit, stage))})
        tables.append({"texts": tuple(text_rows(audit, stage))})
        if stage.tuned:
            tables.append(_of_change(audit, stage))
    tables += [_against(session, audit), {"drafts": tuple(draft_rows(audit))}]
    tables += [{"swaps": tuple(_swaps(audit)), "waits": tuple(wait_rows(audit))}]
    own = [v for v in empty.verdicts if not empty.elsewhere(v)]
    tables.append(
        {
            "examples": tuple(
                row for v in own for row in token_rows.example_rows(audit, v)
            )
        }
    )
    whole = merge([empty, *(replace(empty, **table) for table in tables)])
    return Run.from_json(with_chance(whole, session.settings).to_json())


def _empty(session: Session) -> Run:
    settings = session.measured.settings if session.measured else session.settings
    return Run(
        created=_now().isoformat(timespec="seconds"),
        command=without_folders(invoked()),
        groups=(),
        target=settings.server or settings.shown.target,
        draft="" if settings.server else settings.shown.draft,
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
    report = tried(
        "the tables of the report could not be made", lambda: build(session), lost
    )
    found = {
        "report": (report or _empty(session)).to_json(),
        "ungated": json.dumps(session.ungated),
    }
    audit = session.measured
    if audit is not None:
        now = snapshot(audit, audit.stages)
        doubts = [session.doubts.get((audit.settings, s), "") for s in audit.stages]
        wrong = next(filter(None, [baseline.unmeasured(now), *doubts]), "")
        found |= {"invalid": wrong} if wrong else {"baseline": kept.dumps(now)}
    return found | {"lost": json.dumps(lost)}


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
    found = [kept.loads(part["baseline"], name) for part in parts if "baseline" in part]
    if not found:
        raise UsageError(
            f"baseline {name!r} would be empty: nothing was measured. Run "
            "evals that measure a pair."
        )
    return kept.save_baseline(baseline.joined(found), name, root=root, update=update)


def _shared(settings: Settings) -> dict[str, object]:
    """The settings without what says where things lie and who works."""
    return {
        k: v
        for k, v in asdict(settings.shown).items()
        if k not in ("store", "report", "gates", "root", "workers")
    }


def _provenance(audit: Audit) -> dict[str, object]:
    header = audit.base.trace.provenance
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
    about = {"synthetic": audit.prompts.synthetic, "transformers_usual": usual_here()}
    limits = audit.identity(BASE).limits
    about |= {LIMITS: limits} if limits else {}
    return header | about | counted | versions()


def _against(session: Session, audit: Audit) -> dict[str, tuple[Any, ...]]:
    """The rows of the baseline this run was compared with, if it was."""
    stored = session.baselines.get(session.settings.baseline)
    if stored is None:
        return {}
    stages = [stage for stage in audit.stages if stage in stored.counts]
    return (
        {
            "baseline": tuple(
                rows.against(stored, snapshot(audit, stages), audit.settings)
            )
        }
        if stages
        else {}
    )


def _swaps(audit: Audit) -> Iterator[SwapRow]:
    """The worst swaps of the stages that were asked for theirs."""
    return (one.row(stage) for stage, one in audit.swaps.items())


def _of_change(audit: Audit, stage: Stage) -> dict[str, tuple[Any, ...]]:
    """The rows that compare a stage with the base pair."""
    dataset = stage.dataset
    found = {
        "changes": rows.change_rows(audit, stage),
        "widenings": (rows.widening_row(audit, stage),),
        "training": tuple(rows.training_rows(audit.training(dataset), dataset)),
    }
    if dataset == TUNED:
        return found
    mentions = rows.mention_rows(dataset, audit.mentions(dataset))
    return found | {
        "mentions": mentions,
        "frequency": (rows.frequency_row(stage, audit.frequency(stage)),),
    }
