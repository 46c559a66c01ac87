"""`specfair mend`: a draft is taught by its target where groups wait longest, and
judged on prompts that it never saw.

Knows the order of the work and what is said of it. Does not know how a draft learns.
"""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from specfair import config, outputs, project, workers
from specfair.audit import mending, record, rows
from specfair.audit.audit import Audit
from specfair.audit.session import Session, ask_all
from specfair.audit.writing import write_files
from specfair.doors.printing import show, tell
from specfair.errors import UsageError, as_typed, counted
from specfair.gates import bounds
from specfair.run.mended import MendingRow
from specfair.run.rows import EstimateRow
from specfair.vocabulary import BASE, OK, TUNED, USAGE, Stage

# what the evals that judge it are told in another way, or not at all
_OWN = {
    *("min_prompts", "tuned_draft", "prompts", "groups", "prompts_per_group"),
    *("recipe", "store", "datasets", "checkpoints"),
}


def mend_draft(options: argparse.Namespace) -> int:
    """Mend, judge, say what came of it and what gates it."""
    asked = {f.name: getattr(options, f.name, None) for f in config.OPTIONS}
    given = {name: value for name, value in asked.items() if value is not None}
    home = project.find(Path.cwd())
    settings = replace(config.load(home, given), tuned_target="", tuned_draft="")
    recipe = settings.recipe_for("fairspec")
    if recipe.models != "draft":
        raise UsageError(
            f"recipe {recipe.name!r} tunes {recipe.models!r}; mending leaves the "
            "target's text as it is. Set models = 'draft'."
        )
    to = Path(options.out)
    mending.refuse_taken(to)
    learned = mending.learn(settings, recipe, tell if workers.leads() else _silent)
    if not workers.leads():
        return OK
    mending.keep_draft(learned, to)
    show(*_made(learned))
    audit = mending.judged(settings, to, to / mending.JUDGING, tell)
    rules = bounds.all_rules(home.table, [], (TUNED,))
    judging = replace(audit.settings, gates=rules)
    session = Session(judging, tell, audits={judging.measurement: audit})
    audit.measure((BASE, Stage(TUNED)))
    found = tuple(mending.mending_rows(learned, audit))
    show(*_lines(audit, found))
    for stage in (BASE, Stage(TUNED)):
        ask_all(session, stage)
    run = replace(record.build(session), mending=found, training=_along(learned, audit))
    lost: list[str] = []
    place = write_files(run, outputs.of(str(to / "report")), lost)
    for line in lost:
        tell(line)
    show(f"report: {place}", f"gate it: {_command(given, to)}")
    return USAGE if lost else OK


def _silent(_: str) -> None:
    """The first of a launch's processes speaks."""


def _made(learned: mending.Learned) -> Iterator[str]:
    parts, recipe = learned.parts, learned.training.recipe
    n_rest = int((learned.pool.group < 0).sum())
    yield (
        f"{len(parts.mending):,} prompts to mend with, {len(parts.judging):,} to judge "
        "by, of other templates, other identities or both"
    )
    yield (
        f"cost: {len(learned.pool):,} texts of the target ({n_rest:,} of them after no "
        f"prompt), {learned.n_target_calls:,} of its calls; "
        f"{counted(learned.tuned.n_steps, 'step')} of {recipe.n_texts} texts; "
        f"{learned.seconds:.0f} s here"
    )


def _lines(audit: Audit, found: tuple[MendingRow, ...]) -> Iterator[str]:
    """Before and after, by group and by what is new in the prompts."""
    after, metric = Stage(TUNED), mending.METRIC
    before = audit.base.groups(metric).by_group
    gains = audit.gains(after, metric)
    yield f"alpha by group, {audit.settings.decoding}, on the prompts to judge by"
    yield "before  after  change  95% interval     prompts  group"
    for group, now in audit.after(after).groups(metric).by_group.items():
        change = gains[group]
        yield (
            f"{before[group].value:>6.3f}  {now.value:.3f}  {change.value:+.3f}  "
            f"{change.low:+.3f} to {change.high:+.3f}  {now.n_prompts:>7,}  {group}"
        )
    yield "  mean  minimum    gap  ratio  new in the prompts"
    for row in found:
        yield (
            f"{row.mean:>6.3f}  {row.minimum:>7.3f}  {row.gap:.3f}  {row.ratio:.3f}  "
            f"{row.new or 'any of these'}: {row.recipe}"
        )
    gap = audit.widening(after, metric)
    yield (
        f"the gap changes by {gap.value:+.3f}, 95% interval {gap.low:+.3f} to "
        f"{gap.high:+.3f}"
    )
    same = audit.identity(BASE).target_fingerprint
    assert audit.identity(after).target_fingerprint == same
    yield "the target is as it was, so its text is the same byte for byte"


def _along(learned: mending.Learned, audit: Audit) -> tuple[EstimateRow, ...]:
    """Alignment at the checkpoints that were kept, from the start to the end."""
    steps = learned.tuned.checkpoints
    if not steps:
        return ()
    measured = {0: audit.base, learned.tuned.n_steps: audit.after(TUNED)}
    for step, folder in steps.items():
        prompts = Path(audit.settings.prompts.partition(":")[2])
        then = mending.judged(audit.settings, folder, prompts, tell)
        measured[step] = then.after(TUNED)
    return tuple(rows.training_rows(measured, TUNED))


def _command(given: Mapping[str, object], to: Path) -> str:
    """How the evals judge what was mended, as this command was told to."""
    told: dict[str, object] = {n: v for n, v in given.items() if n not in _OWN}
    told |= {"tuned_draft": str(to), "prompts": f"file:{to / mending.JUDGING}"}
    told |= {"min_prompts": 1}
    words = ["pytest", "--pyargs", "specfair.evals"]
    for name, value in told.items():
        option = f"--specfair-{name.replace('_', '-')}"
        words.append(option if value is True else f"{option}={value}")
    return as_typed(words)
