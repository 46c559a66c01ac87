"""What mending a draft did: recipes side by side, on prompts that no recipe saw."""

from collections.abc import Callable

from specfair.errors import counted
from specfair.report.blocks import Section, Table
from specfair.report.lookup import Index
from specfair.report.text import clean, interval, number, thousands
from specfair.run.mended import MendingRow

_NEW = {"": "all that judge", "both": "templates and identities"}


def mitigation(found: Index) -> Section | None:
    """Before and after by recipe, and what each cost."""
    rows = found.run.mending
    if not rows:
        return None
    return Section(
        id="section-mending",
        name="Mending",
        title="What did mending do, and what did it cost?",
        answer=mended(found),
        tables=[recipes(found)],
        note="A small gap alone is no success: it also shrinks where the fastest lose. "
        "Look at the minimum and the mean beside it, and at the variances (U) last. "
        "scdf is our reading of s-CDF, which has no public code.",
    )


def mended(found: Index) -> str:
    """Gap, minimum and mean over all prompts that judge."""
    whole = [row for row in found.run.mending if not row.new]
    if len(whole) < 2:
        return ""
    before, *after = whole
    told = [
        f"{clean(row.recipe, 40)} brings the gap in alpha from {number(before.gap)} to "
        f"{number(row.gap)}, the lowest group from {number(before.minimum)} to "
        f"{number(row.minimum)} and the mean from {number(before.mean)} to "
        f"{number(row.mean)}"
        for row in after
    ]
    learned = counted(after[0].n_texts, "text")
    return f"{'; '.join(told)}, learned from {learned} of the target."


def recipes(found: Index) -> Table:
    """A row a recipe and a kind of prompts."""
    columns = (
        ("recipe", lambda r: clean(r.recipe, 40)),
        ("new in the prompts", lambda r: _NEW.get(r.new, clean(r.new, 40))),
        ("#mean alpha", lambda r: number(r.mean)),
        ("#minimum", lambda r: number(r.minimum)),
        ("lowest", lambda r: clean(r.lowest_group, 40)),
        ("#gap", lambda r: number(r.gap)),
        ("#interval", lambda r: interval(r.low, r.high)),
        ("#ratio", lambda r: number(r.ratio)),
        ("#U on D", lambda r: number(r.u_cross_entropy, 4)),
        ("#U on KL", lambda r: number(r.u_kl, 4)),
        ("#U on alpha", lambda r: number(r.u_alpha, 5)),
        ("#steps", _cost(lambda r: thousands(r.n_steps))),
        ("#target calls", _cost(lambda r: thousands(r.n_target_calls))),
        ("#seconds", _cost(lambda r: thousands(round(r.seconds)))),
    )
    return Table.of(found.run.mending, columns, open=True)


def _cost(told: Callable[[MendingRow], str]) -> Callable[[MendingRow], str]:
    """The draft as it was cost nothing."""
    return lambda row: told(row) if row.n_steps else ""
