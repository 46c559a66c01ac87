"""Sections that appear when there are data for them: causes of the gap, training,
baseline.

Knows which rows answer which question; drawing is the charts' part.
"""

from specfair.report import charts, charts_lines, charts_rows, findings, many
from specfair.report.blocks import Panel, Section, Table
from specfair.report.charts_lines import Point, Series
from specfair.report.charts_rows import Parts
from specfair.report.lookup import Index, extremes, stages
from specfair.report.sections import EVERYONE, TABLE_BELOW
from specfair.report.sections_tokens import where
from specfair.report.text import clean, count, interval, number, plural, signed
from specfair.vocabulary import BASE, Stage

N_SPLITS = 12


def causes(found: Index) -> Section | None:
    """Kitagawa: harder text against a worse draft."""
    panels = [_split(found, at) for at in stages(found.report, found.report.splits)]
    if not panels:
        return None
    return Section(
        "section-causes",
        "Where does the gap come from?",
        findings.split(found),
        tuple(panels),
        key=(
            ("quiet", "text that is harder for the target too"),
            ("slow", "a draft that serves the group worse, with its 95% interval"),
            ("tick", "both together"),
        ),
        note=(
            "Kitagawa's decomposition of the difference within a pair of groups, "
            "by how sure the target was."
        ),
    )


def _split(found: Index, at: Stage) -> Panel:
    rows = [row for row in found.report.splits if row.stage == at]
    top = sorted(rows, key=lambda row: -abs(row.total))[:N_SPLITS]
    every = [
        x
        for row in found.report.splits
        for x in (row.low, row.high, row.harder_text, row.worse_draft, row.total, 0.0)
    ]
    lines = [
        Parts(
            row.group_a,
            row.group_b,
            row.harder_text,
            row.worse_draft,
            row.low,
            row.high,
        )
        for row in top
    ]
    table = tuple(
        (
            clean(r.group_a, 60),
            clean(r.group_b, 60),
            signed(r.total),
            signed(r.harder_text),
            signed(r.worse_draft),
            f"{signed(r.low)} to {signed(r.high)}",
        )
        for r in rows
    )
    title = f"{where(at)}: {findings.widest_split(found, at)}"
    return Panel(
        title,
        charts_rows.sums(
            lines, domain=charts.span(every), name=f"{title}. {TABLE_BELOW}"
        ),
        (
            f"n = {plural(len(rows), 'pair')} of groups, the {len(top)} widest "
            "drawn; lines are 95% intervals."
        ),
        Table(
            ("group", "against", "#total", "#harder text", "#worse draft", "#interval"),
            table,
        ),
        at.dataset,
    )


def training(found: Index) -> Section | None:
    """Metrics at checkpoints."""
    rows = found.report.training
    metrics = list(dict.fromkeys(row.metric for row in rows))
    keys = dict.fromkeys((row.metric, row.stage.dataset) for row in rows)
    panels = [
        _course(found, *key)
        for key in sorted(keys, key=lambda key: metrics.index(key[0]))
    ]
    if not panels:
        return None
    return Section(
        "section-training",
        "How did alignment move over training?",
        (
            "Each line is a group at the checkpoints along the fine-tuning; one "
            "scale a metric."
        ),
        tuple(panels),
        key=(
            ("quiet", "a group"),
            ("dot", "all groups"),
            ("slow", "slowest group of the base pair"),
            ("fast", "fastest"),
        ),
    )


def _course(found: Index, metric: str, dataset: str) -> Panel:
    rows = [
        r
        for r in found.report.training
        if (r.metric, r.stage.dataset) == (metric, dataset)
    ]
    ends = extremes(found)
    series = [
        Series(
            [Point(r.stage.step or 0, r.value) for r in rows if r.group == group],
            EVERYONE if not group else group if group in ends else "",
            charts.colour(group, ends) if group else charts.INK,
        )
        for group in ("", *many.outer(found, BASE, many.DRAWN))
    ]
    title = f"{clean(dataset, 40)} {clean(metric, 40)}"
    steps, groups = {r.stage.step for r in rows}, {r.group for r in rows if r.group}
    table = tuple(
        (count(r.stage.step), clean(r.group or EVERYONE, 60), number(r.value))
        for r in rows
    )
    return Panel(
        f"{title} by step",
        charts_lines.lines(
            series,
            name=f"{title} over training. {TABLE_BELOW}",
            shared=[r.value for r in found.report.training if r.metric == metric],
        ),
        f"n = {plural(len(steps), 'checkpoint')}, {plural(len(groups), 'group')}"
        f"{many.drawn(len(groups), order='slowest and the {} fastest')}.",
        Table(
            ("#step", "group", f"#{clean(metric, 40)}"),
            table,
            groups=tuple(r.group for r in rows),
        ),
        dataset,
    )


_COMPARED = ("figure", "", "#baseline", "#now", "#change, 95%")


def baseline(found: Index) -> Section | None:
    """What changed since the stored baseline."""
    rows = found.report.baseline
    if not rows:
        return None
    moved = [row for row in rows if row.decision in ("worse", "better")]
    table = tuple(
        (
            clean(r.name, 80),
            clean(r.decision, 20),
            number(r.baseline),
            number(r.value),
            interval(r.low, r.high),
        )
        for r in rows
    )
    return Section(
        "section-baseline",
        "What changed against the baseline?",
        f"{plural(len(moved), 'figure')} of {len(rows)} moved measurably.",
        tables=(Table(_COMPARED, table, open=True, caption="Against the baseline"),),
    )
