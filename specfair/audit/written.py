"""What is found of a stage's texts by something beside the pair: words of a lexicon, a
judge, a third model.

Knows which of them the settings ask for, and that what a model said of a text is kept
under the text and that model: another stage, or another run, asks only about texts that
are new. Does not know the statistics of what is found.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cache

import numpy as np

from specfair.audit.found import Found
from specfair.audit.lending import Lender
from specfair.audit.values import keep, reader
from specfair.engine.agreement import most_live, of_tokens, other_law, sampled
from specfair.models.folders import Source, described, fingerprint, locate
from specfair.models.identity import machine, versions
from specfair.texts.lexicons import lexicon
from specfair.traces.written import Decode, Sums, as_written, texts

PORTION = 4096  # texts that are kept at a time

Told = tuple[str, str]  # a prompt and the text behind it
Known = dict[str, tuple[float, float]]


def scored(found: Found, pairs: Lender, decode: Callable[[], Decode]) -> Found:
    """The stage with what is found of its texts. Where speculative decoding wrote texts
    of its own, theirs has the same law.
    """
    asked, text, agrees = pairs.settings.located, found.trace.text, found.agreement
    if not (asked.lexicon_place or asked.judge or asked.perplexity_by):
        return found
    which, also = np.zeros(len(text.prompts), dtype=bool), []
    if agrees and agrees.texts and not agrees.problem:
        which = sampled(found.trace, most_live(pairs.settings.lookahead))
        also = [of_tokens(found.trace.select(which).text, agrees.texts)]
    told = [
        (prompt.text, wrote)
        for one in (text, *also)
        for prompt, wrote in zip(one.prompts, texts(one, decode()), strict=True)
    ]
    made, n = scores(pairs, told), len(which)
    if agrees and also:
        plain = {name: (a[:n][which], b[:n][which]) for name, (a, b) in made.items()}
        speculative = {name: (a[n:], b[n:]) for name, (a, b) in made.items()}
        agrees = replace(agrees, problem=other_law(plain, speculative))
    own = {name: as_written(text, (a[:n], b[:n])) for name, (a, b) in made.items()}
    return replace(found, scores=own, agreement=agrees)


def scores(pairs: Lender, told: Sequence[Told]) -> Mapping[str, Sums]:
    """The metrics that are asked for, by text."""
    asked, found = pairs.settings.located, dict[str, Sums]()
    wrote = [one for _, one in told]
    if asked.lexicon_place:
        words = lexicon(asked.lexicon_place)
        hurtful = np.array([any(words.found(one)) for one in wrote], dtype=np.float64)
        found["hurtful"] = hurtful, np.ones(len(wrote))
    if asked.judge:
        alone = asked.judge_reads == "text"
        given = [("", one) for one in wrote] if alone else told
        found["judged"] = _read(pairs, "judged", asked.judge, told=given)
    if asked.perplexity_by:
        found["log_perplexity"] = _read(
            pairs, "log_perplexity", asked.perplexity_by, told=told
        )
    return found


def _read(pairs: Lender, how: str, name: str, *, told: Sequence[Told]) -> Sums:
    """What a model says of each text. It is opened where it has not yet said so."""
    place, _, label = name.partition("#")
    source = Source(place)
    folder = locate(source, "judge" if how == "judged" else "perplexity_by")
    asked = pairs.settings
    key = {
        "how": how,
        "weights": fingerprint(folder, source),
        "files": described(folder),
        "label": label,
        "asked": {"device": asked.device, "dtype": asked.dtype},
        "machine": machine(),
        "versions": versions(),
    }
    known: Known = {}
    with ExitStack() as closing:

        @cache
        def opened() -> Callable[[Sequence[Told]], list[tuple[float, float]]]:
            read = closing.enter_context(pairs.reader(how, name))
            n = f"{len(told):,} texts"
            pairs.say(f"{how}: {n} read by {place}")
            return read

        def grown(old: Known | None) -> Known:
            missing = [each for each in some if _name(each) not in (old or {})]
            if old is not None and not missing:
                return old
            new = opened()(missing)
            return {**(old or {}), **dict(zip(map(_name, missing), new, strict=True))}

        distinct = list(dict.fromkeys(told))
        for i in range(0, len(distinct), PORTION):
            some = distinct[i : i + PORTION]
            known = pairs.store.update(
                "scores", key, change=grown, read=reader(dict), write=keep
            )
    rows = np.array([known[_name(each)] for each in told], dtype=np.float64)
    return rows[:, 0], rows[:, 1]


def _name(told: Told) -> str:
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:24]
