"""The report in short, as Markdown for step summaries and pull requests.

Says the same sentences as the page. Knows nothing of HTML or charts; text from outside
cannot form Markdown or HTML.
"""

import re
from collections.abc import Mapping, Sequence

from specfair.report import findings
from specfair.report.cards import cards
from specfair.report.lookup import Index, index, measurable, stages, tally
from specfair.report.text import COMMAND, clean, interval, number, plural, signed
from specfair.run.run import Run
from specfair.vocabulary import BASE, Decision, Stage

N_CHECKS = 12
MARKS: Mapping[Decision, str] = {
    "fail": "\u2717",
    "invalid": "!",
    "insufficient": "?",
    "pass": "\u2713",
}
_SYNTAX = re.compile(r"([\\`*_\[\]#|<>~&$]|:(?=//)|(?<=www)\.)")
_JOINER = "\u2060"  # after an @, so that nobody is notified


def render_markdown(report: Run) -> str:
    """The verdict, what needs somebody, before and after, the gaps."""
    found = index(report)
    blocks = (
        f"## specfair: {_escape(findings.verdict(report))}",
        " \u00b7 ".join(
            f"{MARKS[d]} {n} {findings.WORDS[d]}" for d, n in tally(report).items()
        ),
        _compared(report),
        _checks(report),
        _datasets(found),
        _gaps(found),
        "\n".join(f"- {_escape(note, 300)}" for note in report.notes),
        f"Again: {_code(report.command)}",
    )
    return "\n\n".join(block for block in blocks if block) + "\n"


def _escape(text: object, limit: int = 200) -> str:
    return _SYNTAX.sub(r"\\\1", clean(text, limit)).replace("@", f"@{_JOINER}")


def _code(text: object) -> str:
    """A code span that holds what it was given, backticks too: what is copied from it
    is what runs.
    """
    whole = clean(text, COMMAND)
    fence = "`" * (max((len(run) for run in re.findall("`+", whole)), default=0) + 1)
    room = (
        " "
        if "`" in (whole[:1], whole[-1:]) or (whole[:1] == whole[-1:] == " ")
        else ""
    )
    return f"{fence}{room}{whole}{room}{fence}"


def _compared(report: Run) -> str:
    pair = " / ".join(
        _escape(name, 80) for name in (report.target, report.draft) if name
    )
    parts = [
        pair,
        _escape(report.prompts, 400) if report.prompts else "",
        _escape(report.decoding) if report.decoding else "",
        _escape(report.lookahead, 60) if report.prompts else "",
    ]
    return "; ".join(part for part in parts if part)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    lines = (heads, ["---"] * len(heads), *rows)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _checks(report: Run) -> str:
    urgent = [card for card in cards(report) if card.decision != "pass"]
    rows = [
        (
            f"{MARKS[card.decision]} {findings.WORDS[card.decision]}",
            _escape(card.case, 80)
            + f" ({_escape(card.about, 600)})" * bool(card.about),
            _escape(card.gate, 40),
            card.actual,
            card.interval,
            card.expected,
            f"{card.n_prompts:,}",
        )
        for card in urgent[:N_CHECKS]
    ]
    more = len(urgent) - len(rows)
    shown = _table(
        ("", "check", "gate", "value", "95% interval", "expected", "prompts"), rows
    )
    return shown + (
        f"\n\nand {plural(more, 'more check')} of this kind." if more else ""
    )


def _datasets(found: Index) -> str:
    metric, rows = found.report.metric, []
    for dataset in found.report.datasets:
        at = Stage(dataset)
        before, after = (found.estimate(metric, stage) for stage in (BASE, at))
        change, gap = found.change(dataset), found.gap(metric, at)
        if before and after:
            rows.append(
                (
                    _escape(dataset, 60),
                    number(before.value),
                    number(after.value),
                    (
                        f"{signed(change.value)} ({signed(change.low)} to "
                        f"{signed(change.high)})"
                    )
                    if change
                    else "n/a",
                    "yes" if change and measurable(change) else "no",
                    number(gap.gap) if gap else "n/a",
                )
            )
    table = _table(
        (
            f"after ({_escape(metric, 40)})",
            "before",
            "after",
            "change",
            "measurable",
            "gap after",
        ),
        rows,
    )
    return f"{_escape(findings.speed(found), 600)}\n\n{table}" if rows else ""


def _gaps(found: Index) -> str:
    rows = []
    for at in stages(found.report, found.report.gaps):
        gap = found.gap(found.report.metric, at)
        if gap:
            rows.append(
                (
                    _escape(at.dataset, 60) if at.tuned else "base pair",
                    number(gap.gap),
                    interval(gap.low, gap.high),
                    number(gap.null),
                    number(gap.ratio),
                    _escape(gap.lowest_group, 60),
                    _escape(gap.highest_group, 60),
                )
            )
    table = _table(
        (
            "gap",
            "between groups",
            "95% interval",
            "shuffled labels",
            "ratio",
            "slowest",
            "fastest",
        ),
        rows,
    )
    sentence = findings.share(found)
    return "\n\n".join(
        block for block in (_escape(sentence, 900) if sentence else "", table) if block
    )
