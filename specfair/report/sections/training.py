"""How metrics moved over the checkpoints of a fine-tuning."""

from specfair.errors import counted
from specfair.report import many
from specfair.report.blocks import Panel, Section, Table
from specfair.report.charts.curves import Mark, Series, curves
from specfair.report.lookup import Index
from specfair.report.sections.parts import EVERYONE, GROUP, alternative, colour
from specfair.report.text import clean, number, thousands
from specfair.vocabulary import BASE


def over_training(found: Index) -> Section | None:
    """Metrics at checkpoints."""
    keys = dict.fromkeys((r.metric, r.stage.dataset) for r in found.run.training)
    metrics = list(dict.fromkeys(metric for metric, _ in keys))
    ordered = sorted(keys, key=lambda key: metrics.index(key[0]))
    if not keys:
        return None
    return Section(
        id="section-training",
        name="Training",
        title="How did alignment move over training?",
        answer="Each line is a group at the checkpoints along the fine-tuning; one "
        "scale a metric.",
        panels=[_course(found, *key) for key in ordered],
        key=(
            ("quiet", "a group"),
            ("dot", "all groups"),
            ("slow", "slowest group of the base pair"),
            ("fast", "fastest"),
        ),
    )


def _course(found: Index, metric: str, dataset: str) -> Panel:
    alike = [row for row in found.run.training if row.metric == metric]
    rows = [row for row in alike if row.stage.dataset == dataset]
    ends, series = found.ends(), []
    for group in ("", *many.outer(found, BASE, many.DRAWN)):
        own = [row for row in rows if row.group == group]
        name = (group or EVERYONE) if group in ("", *ends) else ""
        points = [Mark(row.stage.step or 0, row.value) for row in own]
        series.append(Series(points, name, colour(group, ends)))
    title = f"{clean(dataset, 40)} {clean(metric, 40)}"
    steps = counted(len({row.stage.step for row in rows}), "checkpoint")
    n = len({row.group for row in rows if row.group})
    left_out = many.drawn(n, "slowest and the {} fastest")
    columns = (
        ("#step", lambda row: thousands(row.stage.step)),
        GROUP,
        (f"#{clean(metric, 40)}", lambda row: number(row.value)),
    )
    name = alternative(f"{title} over training")
    return Panel(
        title=f"{title} by step",
        drawing=curves(series, name=name, shared=[row.value for row in alike]),
        basis=f"n = {steps}, {counted(n, 'group')}{left_out}.",
        table=Table.of(rows, columns),
        dataset=dataset,
    )
