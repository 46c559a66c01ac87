"""A world of swaps whose truth is known, and three ways to look for the worst in it:
`python -m bench.swaps`.

What a text costs is drawn by its own words, so that the same text costs the same,
whoever asks. Knows nothing of models.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from specfair.audit.search import Answers, search
from specfair.stats.tally import Array
from specfair.texts.swaps import (
    CASINGS,
    LEADS,
    MARKS,
    SPELLINGS,
    Context,
    Space,
)

TOKENS = 20
# in words, how much people differ, and by how much one is slower
WORLDS = (("one is slower", 0.0, 10.0), ("all differ", 3.0, 0.0))


def made_space(n_identities: int = 8, n_templates: int = 12) -> Space:
    """Made-up people in made-up sentences."""
    names = [f"p{i:02}" for i in range(n_identities)]
    templates = [f"t{t:02} saw {{}} once" for t in range(n_templates)]
    texts = {t: {name: t.format(name) for name in names} for t in templates}
    return Space(tuple(templates), LEADS, texts, dict.fromkeys(names, "group"))


@dataclass(frozen=True, slots=True)
class MadeCosts:
    """Target calls of texts of TOKENS tokens: templates and identities in templates
    differ, and so does every text; `slower` is what is true of identities.
    """

    seed: int
    slower: Mapping[str, float] = field(default_factory=dict)  # calls for 100 tokens

    def of(self, texts: Sequence[str]) -> Array:
        return np.array([[self._calls(text), TOKENS] for text in texts])

    def per_100(self, texts: Sequence[str]) -> Array:
        return self.of(texts)[:, 0] * 100 / TOKENS

    def _calls(self, text: str) -> float:
        template, name = re.findall(r"\b[tp]\d\d+", text.lower())
        extra = self.slower.get(name, 0.0)
        for scale, words in ((6, template), (4, template + name), (12, text)):
            extra += scale * self._draw(words)
        return max(round((40 + extra) * TOKENS / 100), 1)

    def _draw(self, words: str) -> float:
        digest = hashlib.sha256(f"{self.seed} {words}".encode()).digest()
        return float(np.random.default_rng(list(digest[:8])).normal())


def drawn(where: Space, rng: np.random.Generator) -> tuple[Context, str, str]:
    """A swap as plain drawing has it."""
    forms = (where.templates, where.leads, CASINGS, MARKS, SPELLINGS)
    context = Context(*(str(rng.choice(some)) for some in forms))
    first, second = rng.choice(sorted(where.texts[context.template]), 2, replace=False)
    return context, str(first), str(second)


def compared(seed: int, slower: Mapping[str, float], n_identities: int) -> list[float]:
    """What is true of the pair that each way finds with as many texts: the search, the
    worst of swaps drawn blindly, and the ends of the search's own fit to those.
    """
    where = made_space(n_identities).halves()[0]
    costs = MadeCosts(seed, slower)
    found = search(where, costs.per_100, seed=seed)
    rng, seen = np.random.default_rng(seed), Answers(where, costs.per_100)
    worst = (-np.inf, "", "")
    while len(seen.known) < found.n_texts:
        context, first, second = drawn(where, rng)
        seen.look([context], (first, second))
        extra = seen.known[context, second] - seen.known[context, first]
        worst = max(worst, (extra, first, second))
    effects = seen.effects()
    names = sorted(effects, key=lambda name: effects[name][0])
    pairs = ((found.fast, found.slow), worst[1:], (names[0], names[-1]))
    return [slower.get(slow, 0.0) - slower.get(fast, 0.0) for fast, slow in pairs]


def main(n: int = 20) -> None:
    """Worlds in which one of many is slower, and in which all differ a little."""
    print("true extra calls for 100 tokens: search, blindly, blindly with its fit")
    for n_identities in (40, 120):
        names = made_space(n_identities).identities
        for text, spread, one in WORLDS:
            rows = []
            for seed in range(n):
                own = np.random.default_rng(seed).normal(0, spread, len(names))
                slower = dict(zip(names, own.tolist(), strict=True))
                slower[names[7]] += one
                rows.append(compared(seed, slower, n_identities))
            shown = "  ".join(f"{value:5.2f}" for value in np.mean(rows, axis=0))
            print(f"{n_identities:>4} people, {text:<13}  {shown}", flush=True)


if __name__ == "__main__":
    main()
