"""The worst identity swap of a stage: searched in one half of the contexts, held to
account in the other.

Knows what texts cost: target calls, as a replay of their traces counts them; every text
is traced once, and its cost kept. Does not know bounds. A finding that the other half
does not bear out is none: it was searched, not confirmed.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from specfair import stats
from specfair.audit import tracing
from specfair.audit.lending import Loan
from specfair.audit.search import Finding, search
from specfair.audit.stages import Stages
from specfair.audit.values import keep, reader
from specfair.errors import UsageError, counted
from specfair.run.rows import SwapRow
from specfair.stats import Estimate, Sample
from specfair.stats.estimate import Nothing
from specfair.stats.tally import Array, sums_by
from specfair.texts.prompts import Prompt
from specfair.texts.swaps import Context, Space, contexts_of, space
from specfair.traces.replay import replay
from specfair.vocabulary import ALPHA, Stage

PER = 100.0  # tokens, for which target calls are counted
_Known = dict[str, tuple[float, float]]  # target calls and tokens, by text


@dataclass(frozen=True, slots=True)
class Swapped:
    """What was searched, and what the other half says of it: extra target calls of the
    slow one for 100 tokens.
    """

    found: Finding
    estimate: Estimate
    groups: tuple[str, str]  # of the fast and of the slow

    def row(self, stage: Stage) -> SwapRow:
        """As a run keeps it."""
        found, e = self.found, self.estimate
        return SwapRow(
            stage=stage,
            fast=found.fast,
            slow=found.slow,
            fast_group=self.groups[0],
            slow_group=self.groups[1],
            value=e.value,
            low=e.low,
            high=e.high,
            p_value=e.p_value(),
            confirmed=_sure(e),
            first=found.smallest.texts[0],
            second=found.smallest.texts[1],
            shown=found.shown,
            n_searched=found.n_texts,
            n_templates=e.n_prompts,
        )


@dataclass(slots=True)
class Costs:
    """Target calls and tokens of texts of an open stage."""

    stages: Stages
    loan: Loan
    known: _Known

    def of(self, texts: Sequence[str]) -> Array:
        """Both, for each text: (texts, 2)."""
        missing = [text for text in dict.fromkeys(texts) if text not in self.known]
        if missing:
            settings = self.stages.settings
            prompts = [Prompt(_name(text), "", "", "", text) for text in missing]
            trace = self.loan.work().trace(
                prompts, settings.decoding, progress=lambda *_: None
            )
            tally = replay(trace, settings.deployed)
            counts = zip(tally.n_rounds, tally.n_new_tokens, strict=True)
            rows = [(float(calls), float(tokens)) for calls, tokens in counts]
            self.known |= dict(zip(missing, rows, strict=True))
        return np.array([self.known[text] for text in texts])

    def per_100(self, texts: Sequence[str]) -> Array:
        """Target calls for 100 tokens; a text without any costs nothing."""
        calls, tokens = self.of(texts).T
        return np.asarray(PER * calls / np.maximum(tokens, 1.0))


def _name(text: str) -> str:
    return f"swap-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def worst(stages: Stages, stage: Stage) -> Swapped:
    """Search, then confirm; what was found before is looked at again first."""
    settings = stages.settings
    if settings.server:
        raise UsageError(
            "gate swap writes prompts of its own and asks for their counts; a server "
            "is asked for the prompts of the set only. Switch it off for servers."
        )
    stages.found(stage)  # so that it counts as measured
    where = space(stages.prompts)
    with stages.pairs.lent(stage) as loan:
        key = tracing.key_of(loan.identity, settings.decoding)
        key |= {"lookahead": settings.lookahead}
        costs = Costs(stages, loan, _stored(stages, key, {}))
        about = key | {"prompts": stages.prompts.fingerprint}
        before = _kept(stages, about, lambda old: old or [])
        first, second = where.halves()
        found = search(
            first,
            costs.per_100,
            seed=settings.seed,
            kept=before,
            store=str(Path(settings.store) / "examples"),
        )
        estimate = confirm(second, found, costs)
        _stored(stages, key, costs.known)
    names = found.fast, found.slow
    made = Swapped(found, estimate, (where.groups[names[0]], where.groups[names[1]]))
    if _sure(estimate):
        _kept(stages, about, lambda _: list(names))
    return made


def confirm(where: Space, found: Finding, costs: Costs) -> Estimate:
    """Extra target calls in contexts that the search never saw, written as the smallest
    pair is: a paired test whose unit of evidence is the template.
    """
    pair = found.fast, found.slow
    form = found.smallest.context
    both = where.of(*pair)
    how = {n: getattr(form, n) for n in ("casing", "punctuation", "spelling")}
    some = [replace(c, **how) for c in contexts_of(both, where.leads)]
    name = f"{found.slow} for {found.fast}"
    if len(both) < 2:
        names = f"{found.slow} and {found.fast}"
        share = counted(len(both), "other template")
        few = Nothing(f"{names} share {share}; to confirm takes 2")
        return stats.invalid(few, groups=(name,))
    before, after = (_sample(where, some, who, name, costs) for who in pair)
    made = stats.change(before, after)
    said = "searched, confirmed" if _sure(made) else "searched, not confirmed"
    return replace(made, method=f"{said} in {len(both)} other templates; {made.method}")


def _sure(estimate: Estimate) -> bool:
    return estimate.value > 0 and estimate.p_value() < ALPHA


def _sample(
    where: Space, some: Sequence[Context], who: str, name: str, costs: Costs
) -> Sample:
    """Target calls, a hundredfold, and tokens by template."""
    counts = costs.of([where.text(context, who) for context in some])
    template, at = np.unique([c.template for c in some], return_inverse=True)
    calls, tokens = sums_by(at, counts).T
    label = np.full(len(template), name)
    return Sample(
        PER * calls,
        tokens,
        prompt=template,
        group=label,
        cluster=label,
        template=np.full(len(template), ""),
        scope="prompts",
    )


def _kept(
    stages: Stages,
    about: Mapping[str, object],
    change: Callable[[list[str] | None], list[str]],
) -> list[str]:
    """The identities that were confirmed before."""
    return stages.store.update(
        "swaps", about, change=change, read=reader(list[str]), write=keep
    )


def _stored(stages: Stages, key: Mapping[str, object], known: _Known) -> _Known:
    """The costs that are kept, with these among them."""

    def change(old: _Known | None) -> _Known:
        new = known.keys() - (old or {}).keys()
        return {**(old or {}), **known} if new or old is None else old

    return stages.store.update(
        "costs", key, change=change, read=reader(dict), write=keep
    )
