"""What was written: speed gained against what became of the texts, their figures by
group, and some of them to read.
"""

from collections.abc import Sequence

from specfair.errors import counted
from specfair.report import many
from specfair.report.blocks import Column, Panel, Section, Table
from specfair.report.charts.plane import Thing, plane
from specfair.report.lookup import Index, measurable, stages
from specfair.report.sections.parts import (
    GROUP,
    alternative,
    basis,
    colour,
    where,
)
from specfair.report.text import clean, interval, number, say, signed, signed_interval
from specfair.run.rows import EstimateRow
from specfair.vocabulary import BASE, METRICS, WRITTEN, Stage

ASKED = ("hurtful", "judged", "log_perplexity")  # where less is better
KINDS = ("flagged", "slowest", "by lot")
_TEXT: Sequence[Column] = (
    ("group", lambda row: clean(row.group, 60)),
    ("prompt", lambda row: say(row.prompt, 200)),
    ("what was written", lambda row: say(row.text, 400)),
    ("#calls for 100 tokens", lambda row: number(row.calls, 1)),
)
_SCORES: dict[str, Column] = {
    "words": ("listed words", lambda row: say(row.words, 120) if row.words else ""),
    "judged": ("#judged", lambda row: number(row.judged)),
    "log_perplexity": ("#log perplexity", lambda row: number(row.log_perplexity, 2)),
}


def what_was_written(found: Index) -> Section | None:
    """Nothing where a run knows nothing of its texts."""
    run = found.run
    at = stages(run, [row for row in run.estimates if row.metric in WRITTEN])
    if not at:
        return None
    known = [m for m in ASKED if found.estimate(m, BASE)]
    panels = [_panel(found, s, m) for s in at if s.tuned for m in known]
    shown = [_figures(found, s) for s in at]
    shown += [_texts(found, s, kind) for s in at for kind in KINDS]
    return Section(
        id="section-written",
        name="What was written",
        title="Is a faster text a nastier one?",
        answer=_answer(found, known),
        panels=[panel for panel in panels if panel],
        tables=[table for table in shown if table.rows],
        key=(("slow", "slowest group of the base pair"), ("fast", "fastest")),
        one_at_a_time=True,
        note="The page holds a few texts of each group and stage: two that are flagged "
        "(a listed word, or judged 0.5 or more), the two slowest and two by lot. A "
        "word is flagged by being listed, not by what is meant.",
    )


def _panel(found: Index, at: Stage, metric: str) -> Panel | None:
    """Up is nastier, right is faster."""
    things, rows = [], []
    for group in found.run.groups:
        faster = found.change(at, group)
        worse = found.changes.get((at, metric, group, ""))
        if faster and worse:
            rows.append(worse)
            things.append(
                Thing(
                    name=clean(group, 60),
                    across=(faster.value, faster.low, faster.high),
                    up=(worse.value, worse.low, worse.high),
                    colour=colour(group, found.ends()),
                )
            )
    if not things:
        return None
    title = f"{where(at)}: {METRICS[metric].title.lower()} against speed"
    drawn = many.ends(things, key=lambda thing: thing.up[0])
    of = {thing.name: thing.across for thing in things}
    columns = (
        GROUP,
        (
            f"#change in {clean(found.run.metric, 40)}",
            lambda row: signed(of[clean(row.group, 60)][0]),
        ),
        (f"#change in {metric}", lambda row: signed(row.value)),
        ("#interval", lambda row: signed_interval(row.low, row.high)),
        ("measurable", lambda row: "yes" if measurable(row) else "no"),
    )
    axes = f"change in {found.run.metric}", f"change in {metric}"
    return Panel(
        title=title,
        drawing=plane(drawn, even=0.0, axes=axes, name=alternative(title), alike=False),
        basis=f"{basis(rows)} Right is faster, up is worse.",
        table=Table.of(rows, columns),
        dataset=at.dataset,
        tab=f"{where(at)}: {METRICS[metric].title.lower()}",
    )


def _figures(found: Index, at: Stage) -> Table:
    """A row a group, a column a metric."""
    known = [m for m in WRITTEN if found.estimate(m, at)]

    def cell(metric: str) -> Column:
        def value(row: EstimateRow) -> str:
            one = found.estimate(metric, at, row.group)
            digits = METRICS[metric].digits
            if one is None:
                return "n/a"
            ends = interval(one.low, one.high, digits)
            return f"{number(one.value, digits)} ({ends})"

        return f"#{METRICS[metric].title.lower()}", value

    rows = found.with_everyone(known[0], at) if known else []
    caption = f"{where(at)}: all that is known of the texts, by group"
    columns = (GROUP, *map(cell, known))
    return Table.of(rows, columns, caption=caption, dataset=at.dataset)


def _texts(found: Index, at: Stage, kind: str) -> Table:
    """Those of one kind, group by group."""
    rows = [r for r in found.run.texts if (r.stage, r.why) == (at, kind)]
    scored = [column for name, column in _SCORES.items() if _has(found, name)]
    n = counted(len(rows), "text")
    caption = f"{where(at)}, {n} to read: {kind}"
    return Table.of(rows, (*_TEXT, *scored), caption=caption, dataset=at.dataset)


def _has(found: Index, name: str) -> bool:
    """Whether anybody asked: by the texts themselves where words are listed."""
    if name == "words":
        return found.estimate("hurtful", BASE) is not None
    return found.estimate(name, BASE) is not None


def _answer(found: Index, known: Sequence[str]) -> str:
    """Of the first that was asked: the rise that is most surely one, or else how groups
    differ as they are.
    """
    if not known:
        return (
            "Nobody was asked whether the texts hurt: no lexicon, judge or third model "
            "was given. Length, repetition and endings are below."
        )
    metric = known[0]
    rises = [
        row
        for row in found.changes.values()
        if row.metric == metric and row.group and row.low > 0
    ]
    if not rises:
        return f"{_now(found, metric)} No group's rises measurably after fine-tuning."
    worst = max(rises, key=lambda row: row.low)
    speed = found.change(worst.stage, worst.group)
    beside = (
        f" while its {found.run.metric} moves by {signed(speed.value)}" if speed else ""
    )
    spread = signed_interval(worst.low, worst.high)
    return (
        f"{_now(found, metric)} {where(worst.stage)} it rises most for "
        f"{clean(worst.group, 60)}, by {signed(worst.value)} ({spread}){beside}."
    )


def _now(found: Index, metric: str) -> str:
    """How groups differ before fine-tuning."""
    rows = sorted(found.by_group(metric, BASE), key=lambda row: row.value)
    if not rows:
        return ""
    low, high = rows[0], rows[-1]
    title = METRICS[metric].title
    least, most = (f"{number(r.value)} for {clean(r.group, 60)}" for r in (low, high))
    return f"{title} before fine-tuning: {least} to {most}."
