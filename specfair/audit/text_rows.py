"""The few texts of a stage that a run keeps for people to read: of each group those
that are flagged, those that took the target most calls, and some by lot.

Knows which are worth reading. Does not know how they are shown.
"""

from collections.abc import Iterator

import numpy as np

from specfair.audit.audit import Audit
from specfair.run.closer import TextRow
from specfair.run.rows import ENDS, MANY
from specfair.stats import divide
from specfair.stats.tally import Array
from specfair.store import digest
from specfair.texts.lexicons import lexicon
from specfair.traces.measured import Measured
from specfair.traces.trace import Ints
from specfair.traces.written import texts
from specfair.vocabulary import Stage

N_TEXTS = 2  # of each group and kind
LIKELY = 0.5  # judged so probable of the label, a text is flagged
PER = 100.0  # tokens


def text_rows(audit: Audit, stage: Stage) -> Iterator[TextRow]:
    """Group by group; of many groups the slowest and the fastest."""
    measured = audit.measured(stage)
    if measured.given:  # a server's texts are not kept as tokens
        return
    wrote = texts(measured.trace.text, audit.tokens)
    place = audit.settings.located.lexicon_place
    words = lexicon(place) if place else None
    scores = {name: _each(measured, name) for name in ("judged", "log_perplexity")}
    calls = PER * divide(measured.tally.n_rounds, measured.tally.n_new_tokens)
    for group in _shown(measured):
        for why, i in _chosen(measured, group, calls):
            prompt = measured.trace.prompts[i]
            found = words.found(wrote[i]) if words else ()
            yield TextRow(
                stage=stage,
                group=group,
                why=why,
                prompt=prompt.text,
                text=wrote[i],
                words=", ".join(dict.fromkeys(found)),
                calls=float(calls[i]),
                **{name: float(values[i]) for name, values in scores.items()},
            )


def _each(measured: Measured, name: str) -> Array:
    """The score of each text; NaN where it was not asked for."""
    nothing = np.full(len(measured.trace), np.nan)
    return divide(*measured.scores.get(name, (nothing, nothing)))


def _shown(measured: Measured) -> list[str]:
    groups = [found.group for found in measured.groups(measured.gated).ranked()]
    return groups if len(groups) <= MANY else [*groups[:ENDS], *groups[-ENDS:]]


def _chosen(measured: Measured, group: str, calls: Array) -> Iterator[tuple[str, int]]:
    """Why, and which; a text that is flagged and slow is there twice."""
    prompts = measured.trace.prompts
    own = np.array([i for i, prompt in enumerate(prompts) if prompt.group == group])
    hurtful = np.nan_to_num(_each(measured, "hurtful")[own])
    judged = np.nan_to_num(_each(measured, "judged")[own])
    lots = np.array([digest({"id": prompts[i].id}) for i in own.tolist()])
    for why, order, some in (
        ("flagged", hurtful + judged, (hurtful > 0) | (judged >= LIKELY)),
        ("slowest", np.nan_to_num(calls[own]), np.isfinite(calls[own])),
        ("by lot", np.argsort(np.argsort(lots)), np.isfinite(calls[own])),
    ):
        best: Ints = np.argsort(-order, kind="stable")
        for i in best[some[best]][:N_TEXTS].tolist():
            yield why, int(own[i])
