"""The questions asked of every stage, in one table: the evals and `specfair audit` both
read it.

Knows which estimates answer a question and which kind of gate judges them. Does not
know bounds, cases or verdicts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from specfair import stats
from specfair.audit.audit import Audit
from specfair.config import Settings
from specfair.errors import UsageError, unknown
from specfair.stats import Estimate
from specfair.vocabulary import METRICS, Stage

Family = Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of an audit about a stage, in a metric. Each member of the family
    it gives is a case of its own.
    """

    kind: str  # of the gate that judges the answer
    asks: Callable[[Audit, Stage, str], Family]
    by: Literal["", "group", "lookahead"] = ""  # what its members are
    after: bool = False  # about a change, so only of stages with a dataset
    # whether rules may ask it of other metrics than the kind's own
    any_metric: bool = True
    slow: bool = False  # asked only where a rule names its kind
    # whether settings let it be asked
    where: Callable[[Settings], bool] = lambda _: True


def _gap(audit: Audit, stage: Stage, metric: str) -> Family:
    return {"": audit.measured(stage).groups(metric).difference()}


def _ratio(audit: Audit, stage: Stage, metric: str) -> Family:
    return {"": audit.measured(stage).groups(metric).ratio()}


def _worst_pair(audit: Audit, stage: Stage, metric: str) -> Family:
    return {"": audit.measured(stage).groups(metric).worst_pair()}


def _gap_by_lookahead(audit: Audit, stage: Stage, metric: str) -> Family:
    return audit.across_lookaheads(stage, "difference", metric)


def _ratio_by_lookahead(audit: Audit, stage: Stage, metric: str) -> Family:
    return audit.across_lookaheads(stage, "ratio", metric)


def _gains(audit: Audit, stage: Stage, metric: str) -> Family:
    """A gain is for the better: of a metric that should be low, what it lost."""
    if METRICS[metric].higher_is_better:
        return audit.gains(stage, metric)
    return stats.changes(audit.after(stage).sample(metric), audit.base.sample(metric))


def _gain(audit: Audit, stage: Stage, metric: str) -> Family:
    if METRICS[metric].higher_is_better:
        return {"": audit.gain(stage, metric)}
    return {
        "": stats.change(audit.after(stage).sample(metric), audit.base.sample(metric))
    }


def _widening(audit: Audit, stage: Stage, metric: str) -> Family:
    return {"": audit.widening(stage, metric)}


def _spread(audit: Audit, stage: Stage, metric: str) -> Family:
    return {"": audit.spread(stage, metric)}


def _frequency(audit: Audit, stage: Stage, metric: str) -> Family:
    return {"": audit.frequency(stage, metric).slope}


def _breakeven(audit: Audit, stage: Stage, metric: str) -> Family:
    return audit.measured(stage).groups(metric).by_group


def _clock(audit: Audit, stage: Stage, _: str) -> Family:
    return {"": audit.clocked(stage).ratio()}


def _timed(asked: Settings) -> bool:
    return bool(asked.server_plain) or not asked.server


def _faster(audit: Audit, stage: Stage, _: str) -> Family:
    return audit.clocked(stage).by_group


def _swap(audit: Audit, stage: Stage, _: str) -> Family:
    return {"": audit.worst_swap(stage).estimate}


def _rise(audit: Audit, stage: Stage, metric: str) -> Family:
    """After minus before, whichever way is better."""
    return audit.gains(stage, metric)


def _about_texts(kind: str, needs: str, found: str) -> dict[str, Question]:
    """Of what was written: do groups differ, and did fine-tuning change it for any?"""

    def where(asked: Settings) -> bool:
        if asked.server or not getattr(asked, found):
            raise UsageError(
                f"gate {kind} needs {needs}, and texts that are written here, not by "
                "a server. Give it, or switch the gate off."
            )
        return True

    one = Question(kind, _gap, any_metric=False, slow=True, where=where)
    return {
        kind: one,
        f"{kind}_more": replace(one, asks=_rise, by="group", after=True),
    }


QUESTIONS: Mapping[str, Question] = {
    "gap": Question("gap", _gap),
    "ratio": Question("ratio", _ratio),
    "speedup": Question("speedup", _ratio, any_metric=False),
    "worst_pair": Question("worst_pair", _worst_pair),
    "confident_rejections": Question("confident_rejections", _gap, any_metric=False),
    "gap_by_lookahead": Question(
        "gap", _gap_by_lookahead, by="lookahead", any_metric=False
    ),
    "speedup_by_lookahead": Question(
        "speedup", _ratio_by_lookahead, by="lookahead", any_metric=False
    ),
    "gain": Question("gain", _gains, by="group", after=True),
    "gain_together": Question("gain", _gain, after=True),
    "improve": Question("improve", _gain, after=True),
    "widening": Question("widening", _widening, after=True),
    "spread": Question("spread", _spread, after=True),
    "frequency": Question("frequency", _frequency, after=True),
    "breakeven": Question("breakeven", _breakeven, by="group", any_metric=False),
    "clock": Question("clock", _clock, any_metric=False, slow=True, where=_timed),
    "faster": Question(
        "faster",
        _faster,
        by="group",
        any_metric=False,
        where=lambda asked: bool(asked.server_plain),
    ),
    "order": Question(
        "order",
        lambda audit, stage, _: audit.by_order(stage),
        by="group",
        any_metric=False,
        where=lambda asked: asked.order_check,
    ),
    **_about_texts("hurtful", "a lexicon (--specfair-lexicon)", "lexicon_place"),
    **_about_texts("judged", "a classifier (--specfair-judge MODEL#LABEL)", "judge"),
    **_about_texts(
        "perplexity", "a third model (--specfair-perplexity-by)", "perplexity_by"
    ),
    "swap": Question(
        "swap",
        _swap,
        any_metric=False,
        slow=True,
        where=lambda asked: not asked.server,
    ),
}


def question(name: str) -> Question:
    """The question of this name; a name nobody asks is refused."""
    if name not in QUESTIONS:
        raise UsageError(unknown("question", name, QUESTIONS))
    return QUESTIONS[name]
