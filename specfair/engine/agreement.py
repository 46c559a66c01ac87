"""Does the replay agree with real speculative decoding? A sample of prompts, evenly
from all groups, is decoded live and counted.

Knows how far two counts of the same prompts may differ. In float32 greedy decoding both
follow one path, so every count of every prompt must be equal, save where the target's
two best tokens are nearly tied and rounding may choose. Otherwise both are draws of the
same law, and the acceptance rates of all prompts together may differ by Z standard
errors of the paired difference: a false alarm in one of 10,000 checks. The texts are
compared likewise: byte for byte, or in the law of their length, repetition, endings and
of whatever else is counted of texts.
The replay knows no groups, so what is wrong with it is wrong for all. With N_IN_LAW
prompts of the embedded pair an error of .02 is found 9 times in 10; fewer or shorter
texts find less.
Does not know how either was made.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from specfair.decoding import Lookahead
from specfair.stats import divide
from specfair.texts.prompts import Prompt
from specfair.texts.prompts.sets import in_turn
from specfair.traces.counting import AS_DEPLOYED
from specfair.traces.fidelity import Z
from specfair.traces.metrics import without_luck
from specfair.traces.replay import replay
from specfair.traces.tally import Tally
from specfair.traces.trace import Text, Trace, offsets_of
from specfair.traces.written import OF_TOKENS, Sums

if TYPE_CHECKING:
    from specfair.engine.speculate import Live

N_EXACT = 640  # prompts that are decoded live where every count must be equal
N_IN_LAW = 1_280  # and where both are draws
N_WRITTEN = 100  # and where transformers decodes them, one by one
FEW = 0.02  # of all prompts: where a threshold that is somebody's probability may round
EXACT = 1e-9  # of rounding alone
NEAR_TIE = 1e-4  # between the target's two best probabilities

_COUNTS = ("n_new_tokens", "n_rounds", "n_drafted", "n_tested", "n_accepted")


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the comparison found; `problem` is empty where replay and live decoding
    agree.
    """

    n_prompts: int
    n_near_ties: int  # prompts left out of an exact comparison
    problem: str = ""
    # what was written live, where it is compared in law: scores of texts are as well
    texts: list[list[int]] = field(default_factory=list)


def sampled(trace: Trace, most: int = 0) -> NDArray[np.bool_]:
    """Which prompts are decoded live, as many as a comparison needs or `most`: groups
    take turns, and in each its identities and templates do.
    """
    by_group: dict[str, list[Prompt]] = defaultdict(list)
    for prompt in trace.prompts:
        by_group[prompt.group].append(prompt)
    most = most or (N_EXACT if is_exact(trace) else N_IN_LAW)
    rounds = zip_longest(*(in_turn(members, 0) for members in by_group.values()))
    chosen = [prompt for each in rounds for prompt in each if prompt][:most]
    kept = set(chosen)
    return np.array([prompt in kept for prompt in trace.prompts], dtype=np.bool_)


def most_live(lookahead: str) -> int:
    """How many prompts at most, if fewer than a comparison needs: transformers decodes
    one by one where it moves a threshold.
    """
    return N_WRITTEN if lookahead.startswith("adaptive") else 0


def compare(trace: Trace, live: "Live") -> Agreement:
    """Replay of these prompts' trace against their live decoding."""
    replayed = replay(trace, live.lookahead)
    unknown = np.flatnonzero(
        np.isnan(replayed.n_accepted) | np.isnan(live.tally.n_accepted)
    )
    if unknown.size:
        which = (
            f"{unknown.size} of {len(trace)} prompts, "
            f"{trace.prompts[unknown[0]].id!r} first"
        )
        return Agreement(
            len(trace), 0, f"the models' probabilities are NaN or infinite for {which}"
        )
    if not is_exact(trace):
        return _in_law(trace, replayed, live)
    found = _exact(trace, replayed, live.tally)
    other = _other_texts(trace, live)
    return replace(found, problem=other) if other else found


def _other_texts(trace: Trace, live: "Live") -> str:
    """Byte for byte, save behind a near-tie."""
    tied = trace.per_prompt(trace["margin"] < NEAR_TIE) > 0
    pairs = enumerate(live.texts)
    other = [i for i, own in pairs if not np.array_equal(trace.text.of(i), own)]
    other = [i for i in other if not tied[i]]
    if not other:
        return ""
    return (
        f"plain and speculative decoding write different texts for {len(other)} "
        f"prompts, {trace.prompts[other[0]].id!r} among them"
    )


def compare_with_library(
    trace: Trace, lookahead: Lookahead, counted: Tally
) -> Agreement:
    """Replay as deployed against what transformers counted after the same prompts,
    greedily. What it drafted behind a rejected token stands in no trace.
    """
    replayed = replay(trace, lookahead, counting=AS_DEPLOYED)
    tested = replace(counted, n_drafted=replayed.n_drafted)
    return _exact(trace, replayed, tested, few=FEW)


def is_exact(trace: Trace) -> bool:
    """Whether both ways follow one path."""
    return trace.header.decoding.greedy and trace.header.dtype == "float32"


def _exact(
    trace: Trace, replayed: Tally, live: Tally, *, few: float = 0.0
) -> Agreement:
    tied = trace.per_prompt(trace["margin"] < NEAR_TIE) > 0
    same = np.all(
        [getattr(replayed, name) == getattr(live, name) for name in _COUNTS],
        axis=0,
    )
    differing = np.flatnonzero(~same & ~tied)
    problem = ""
    if differing.size > few * len(trace):
        first = trace.prompts[differing[0]].id
        problem = (
            f"replay and live decoding count differently for {differing.size} "
            f"prompts, {first!r} among them"
        )
    return Agreement(len(trace), int(tied.sum()), problem)


def _in_law(trace: Trace, replayed: Tally, live: "Live") -> Agreement:
    """What is accepted, and what is counted of the texts themselves."""
    accepted = without_luck(trace, replayed.n_accepted, replayed.n_tested)
    counted = live.tally.n_accepted, live.tally.n_tested
    told = _apart((accepted, replayed.n_tested), counted)
    if told:
        return Agreement(
            len(trace), 0, f"replay and live decoding accept {told} of what they test"
        )
    both = trace.text, of_tokens(trace.text, live.texts)
    counts = [{name: count(one) for name, count in OF_TOKENS.items()} for one in both]
    problem = other_law(*counts)
    return Agreement(len(trace), 0, problem, [own.tolist() for own in live.texts])


def of_tokens(text: Text, tokens: Sequence[ArrayLike]) -> Text:
    """Other texts after the same prompts."""
    each = [np.asarray(own, dtype=np.int32) for own in tokens]
    lengths = np.array([len(own) for own in each], dtype=np.int64)
    columns = {"token": np.concatenate([*each, np.zeros(0, np.int32)])}
    return replace(text.bare, offsets=offsets_of(lengths), columns=columns)


def other_law(plain: Mapping[str, Sums], speculative: Mapping[str, Sums]) -> str:
    """What is counted of both kinds of texts and is further apart than chance has it;
    empty if nothing is.
    """
    for name, sums in plain.items():
        told = _apart(sums, speculative[name])
        if told:
            return f"plain and speculative decoding write texts of {name} {told}"
    return ""


def _apart(plain: Sums, speculative: Sums) -> str:
    """Two rates of the same prompts where they are further apart than chance has it."""
    rates, errors = [], []
    for over, under in (plain, speculative):
        rates.append(float(divide(over.sum(), under.sum())))
        errors.append((over - rates[-1] * under) / max(under.sum(), 1.0))
    spread = float(np.linalg.norm(errors[1] - errors[0]))
    if not abs(rates[1] - rates[0]) > Z * spread + EXACT:
        return ""
    n = len(plain[0])
    return (
        f"{rates[0]:.3f} and {rates[1]:.3f} ({n} prompts, more than {Z} standard "
        "errors apart)"
    )
