"""Who asks, and what a failed answer says to him.

Knows a case's name, its command and what it looked at. Does not know how an answer is
found, nor pytest.
"""

import sys
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from specfair.audit.audit import Audit
from specfair.config import Settings
from specfair.errors import as_typed, plain
from specfair.gates.words import MEND
from specfair.run.run import measured_on
from specfair.run.verdict import Verdict
from specfair.vocabulary import Stage

# options that a mending must be told as the run was
_PAIR, _HOW = ("target", "draft"), ("max_new_tokens", "temperature", "top_k", "top_p")
_FILLED_IN = (*_PAIR, "prompts", *_HOW)


@dataclass(slots=True)
class Case:
    """Who asks: its name in words, how to ask it again, what it is about, and what it
    has asked so far.
    """

    name: str  # "imdb-female"
    command: str  # what a person types to see it again
    stage: Stage | None = None
    group: str = ""
    strict: bool = False  # for this case the undecided fails
    audits: list[Audit] = field(default_factory=list)  # what it has looked at
    # gates by kind and metric
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def about(self) -> str:
        """What it was measured on, in one line; empty where it looked at no audit."""
        return " and ".join(dict.fromkeys(about(audit) for audit in self.audits))


def invoked() -> str:
    """The command that runs now, without the folder of its program."""
    program = Path(sys.argv[0])
    module = program.name == "__main__.py"
    return as_typed(
        [
            *(("python", "-m", program.parent.name) if module else (program.name,)),
            *sys.argv[1:],
        ]
    )


def told_how(way_out: str, settings: Settings, stage: Stage | None) -> str:
    """A way out with its command filled in; what is fine-tuned here is mended before,
    if at all, so nothing is said of that.
    """
    if settings.server or (stage and stage.tuned and not settings.ready_made):
        return way_out.replace(f" with `{MEND}`", "")
    asked, usual = settings.shown, Settings()
    told = {name: getattr(asked, name) for name in _FILLED_IN}
    if stage and stage.tuned:
        told["target"] = asked.tuned_target or asked.target
        told["draft"] = asked.tuned_draft or asked.draft
    words = [
        f"--{name.replace('_', '-')}={value}"
        for name, value in told.items()
        if value != getattr(usual, name)
    ]
    command = as_typed(["specfair", "mend", *words, "--out", "mended"])
    return way_out.replace(MEND, command)


def about(audit: Audit) -> str:
    """The pair, the prompts as filtered, and how they are decoded, in one line: as a
    report says it of its own.
    """
    settings = asdict(audit.settings.shown)
    return measured_on(settings, audit.prompts.sentence, str(audit.settings.decoding))


def explain(verdict: Verdict, case: Case) -> str:
    """What a failed test prints: the sentence, expected and actual, who it is about,
    and how to run it alone.
    """
    who = "; ".join(
        f"{group}: {n[0]:,} prompts, {n[1]:,} clusters"
        for group, n in verdict.n.items()
    )
    rows = {
        "expected": (
            f"{verdict.gate} {verdict.comparison} {verdict.bound:g}, minimum "
            f"effect {verdict.min_effect:g}"
        ),
        "actual": (
            f"{verdict.value:.4g}, 95% interval {verdict.low:.4g} to {verdict.high:.4g}"
        ),
        "evidence": f"p = {verdict.p_value:.2g}, {verdict.p_holm:.2g} after Holm",
        "groups": " against ".join(verdict.groups)
        if len(verdict.groups) < 3
        else f"all {len(verdict.groups)}",
        "n": who,
        "way out": verdict.way_out,
        "waiver": verdict.note,
        "about": verdict.claim,
        "measured": case.about,
        "alone": case.command,
    }
    return "\n".join(
        [
            plain(verdict.sentence),
            *(f"  {name:<9} {plain(text)}" for name, text in rows.items() if text),
        ]
    )
