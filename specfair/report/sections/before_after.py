"""What fine-tuning did: values before and after by group, and all groups together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from specfair.report import findings, many
from specfair.report.blocks import Panel, Section, Table
from specfair.report.charts import canvas
from specfair.report.charts.forest import Line, forest
from specfair.report.lookup import Index, measurable
from specfair.report.sections.parts import (
    EVERYONE,
    GROUP,
    alternative,
    basis,
    colour,
    shown,
)
from specfair.report.text import (
    clean,
    interval,
    number,
    signed,
    signed_interval,
    thousands,
)
from specfair.run.rows import EstimateRow
from specfair.vocabulary import BASE, Stage


@dataclass(frozen=True, slots=True)
class _Moved:
    """A group before and after, and its change where that has an interval."""

    before: EstimateRow
    after: EstimateRow
    change: EstimateRow | None

    @property
    def group(self) -> str:
        return self.after.group

    @property
    def delta(self) -> float:
        if self.change is None:
            return self.after.value - self.before.value
        return self.change.value

    @property
    def sure(self) -> bool:
        return self.change is not None and measurable(self.change)

    @property
    def spread(self) -> str:
        if self.change is None:
            return "n/a"
        return signed_interval(self.change.low, self.change.high)


def before_after(found: Index) -> Section | None:
    """Q1, a panel a dataset, all on one scale."""
    by_stage = {at: _changes(found, at) for at in map(Stage, found.run.datasets)}
    rows = [
        row for some in by_stage.values() for c in some for row in (c.before, c.after)
    ]
    if not rows:
        return None
    domain = canvas.span(v for row in rows for v in (row.value, row.low, row.high))
    where = f"{found.run.metric} at {clean(found.run.lookahead, 40)}"
    return Section(
        id="section-speed",
        name="Before and after",
        title="After fine-tuning, are target and draft more aligned, and is the "
        "speed-up higher?",
        answer=findings.speed(found),
        panels=[_panel(found, at, c, domain) for at, c in by_stage.items() if c],
        tables=[by_dataset(found), table_by_group(found)],
        key=(
            ("ring", "before, its interval as a band"),
            ("dot", "after, with its 95% interval; grey where the change may be noise"),
            ("slow", "slowest group of the base pair"),
            ("fast", "fastest"),
        ),
        note=f"{where}; at the right the change, bold where it is measurable.",
    )


def _changes(found: Index, at: Stage) -> list[_Moved]:
    metric, changes = found.run.metric, []
    for group in ("", *found.run.groups):
        before = found.estimate(metric, BASE, group)
        after = found.estimate(metric, at, group)
        if before and after:
            changes.append(_Moved(before, after, found.change(at, group)))
    return changes


def _panel(
    found: Index, at: Stage, changes: Sequence[_Moved], domain: canvas.Domain
) -> Panel:
    title, ends = findings.dataset(found, at), found.ends()
    drawn = shown([(c.delta, _line(c, ends)) for c in changes])
    name = alternative(f"{title}. Before and after by group")
    columns = (
        GROUP,
        ("#before", lambda c: number(c.before.value)),
        ("#interval", lambda c: interval(c.before.low, c.before.high)),
        ("#after", lambda c: number(c.after.value)),
        ("#interval", lambda c: interval(c.after.low, c.after.high)),
        ("#change", lambda c: signed(c.delta)),
        ("#interval", lambda c: c.spread),
        ("measurable", lambda c: "yes" if c.sure else "no"),
        ("#prompts", lambda c: thousands(c.after.n_prompts)),
        ("#clusters", lambda c: thousands(c.after.n_clusters)),
    )
    return Panel(
        title=title,
        drawing=forest(drawn, domain=domain, name=name),
        basis=basis(
            [c.after for c in changes], "that lost and the {} that gained most"
        ),
        table=Table.of(changes, columns),
        dataset=at.dataset,
    )


def _line(change: _Moved, ends: tuple[str, str]) -> Line:
    """Dark where the change is measurable, unless the group has its own colour."""
    hue, before, after = colour(change.group, ends), change.before, change.after
    if hue == canvas.QUIET and change.sure:
        hue = canvas.INK
    return Line(
        name=change.group or EVERYONE,
        now=(after.value, after.low, after.high),
        note=signed(change.delta),
        colour=hue,
        strong=not change.group,
        sure=change.sure,
        before=(before.value, before.low, before.high),
    )


def table_by_group(found: Index) -> Table:
    """A row a group and a column a dataset, as the original study has it."""
    stages = [Stage(name) for name in found.run.datasets]
    moved = {at: {c.group: c for c in _changes(found, at)} for at in stages}
    groups = [g for g in many.outer(found, BASE, many.DRAWN) if g in moved[stages[0]]]

    def cell(at: Stage) -> Callable[[str], str]:
        def said(group: str) -> str:
            change = moved[at].get(group)
            if change is None:
                return "n/a"
            before, after = change.before.value, change.after.value
            return f"{number(before)} to {number(after)}"

        return said

    columns = [("group", lambda group: clean(group, 60))]
    columns += [(f"#{clean(at.dataset, 60)}", cell(at)) for at in stages]
    return Table.of(groups, columns, caption="Before and after by group")


def by_dataset(found: Index) -> Table:
    """All groups together, a row a dataset."""
    changes = []
    for at in map(Stage, found.run.datasets):
        changes += [change for change in _changes(found, at) if not change.group]

    def gap(change: _Moved) -> str:
        row = found.gap(change.after.stage)
        return number(row.gap) if row else "n/a"

    def moved(change: _Moved) -> str:
        if change.change is None:
            return "n/a"
        return f"{signed(change.delta)} ({change.spread})"

    columns = (
        (
            f"after ({clean(found.run.metric, 40)})",
            lambda c: clean(c.after.stage.dataset, 60),
        ),
        ("#before", lambda c: number(c.before.value)),
        ("#after", lambda c: number(c.after.value)),
        ("#change", moved),
        ("measurable", lambda c: "yes" if c.sure else "no"),
        ("#gap after", gap),
    )
    return Table.of(changes, columns, caption="All groups together")
