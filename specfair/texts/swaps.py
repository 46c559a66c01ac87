"""Identity swaps: the same context about two identities, written in the same way.

Knows which identities stand in which templates of a prompt set, and small changes of a
context that leave alone who it is about: a lead-in, casing, punctuation, spelling. The
words are English; in other languages a lead-in is one more thing that models do not
expect, of both alike. Does not know what a swap costs, nor who looks for one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from specfair.errors import UsageError
from specfair.texts.prompts.sets import PromptSet

# the first of each is the text as it is; the others by turns for searching and for
# confirming, so that no words of one are in the other
LEADS = (
    "",
    "These days, ",
    "As far as I know, ",
    "In our street, ",
    "People say that ",
    "Last week I heard that ",
    "To be honest, ",
)
CASINGS = ("as it is", "lower", "UPPER", "Title")
MARKS = ("as it is", "quoted", "listed", "comma")
SPELLINGS = ("as it is", "dropped", "doubled", "swapped")
ENOUGH = 9  # templates, from which on a finding among them may accuse
_PUT = {"quoted": "\u201c{}", "listed": "- {}", "comma": "{},"}
_WORD = re.compile(r"[^\W\d_]{3,}")


@dataclass(frozen=True, slots=True, order=True)
class Context:
    """A template, and how it is written."""

    template: str
    lead: str = LEADS[0]
    casing: str = CASINGS[0]
    punctuation: str = MARKS[0]
    spelling: str = SPELLINGS[0]

    def around(self, text: str, identity: str) -> str:
        """The text written this way.

        >>> Context("", "To be honest, ", "UPPER", "listed").around("The cook ate", "")
        '- TO BE HONEST, THE COOK ATE'
        >>> Context("", spelling="swapped").around("The aunt travelled", "aunt")
        'The aunt travellde'
        """
        text = _misspelt(text, identity, self.spelling)
        if self.lead:
            text = self.lead + text[:1].lower() + text[1:]
        cased = {"lower": text.lower(), "UPPER": text.upper(), "Title": text.title()}
        return _PUT.get(self.punctuation, "{}").format(cased.get(self.casing, text))


def _misspelt(text: str, identity: str, how: str) -> str:
    """With a slip at the end of the longest word that is not the identity's."""
    rest = text.replace(identity, "\0" * len(identity)) if identity else text
    words = list(_WORD.finditer(rest))
    if not words or how == SPELLINGS[0]:
        return text
    end = max(words, key=lambda word: len(word.group())).end()
    a, b = text[end - 2], text[end - 1]
    slip = {"dropped": b, "doubled": a + b + b, "swapped": b + a}[how]
    return text[: end - 2] + slip + text[end:]


@dataclass(frozen=True, slots=True)
class Swap:
    """One context about two identities."""

    context: Context
    first: str
    second: str
    texts: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Space:
    """All contexts and identities that can be swapped."""

    templates: tuple[str, ...]  # the shortest first
    leads: tuple[str, ...]
    # template -> identity -> text
    texts: Mapping[str, Mapping[str, str]]
    groups: Mapping[str, str] = field(default_factory=dict)  # of each identity

    @property
    def identities(self) -> tuple[str, ...]:
        """In order of first appearance."""
        known = (name for t in self.templates for name in self.texts[t])
        return tuple(dict.fromkeys(known))

    def of(self, *identities: str) -> tuple[str, ...]:
        """The templates in which all of these stand."""
        asked = set(identities)
        return tuple(t for t in self.templates if asked <= set(self.texts[t]))

    def beside(self, identity: str) -> list[str]:
        """Those that stand in a template with this one."""
        named = (name for t in self.of(identity) for name in self.texts[t])
        return [name for name in dict.fromkeys(named) if name != identity]

    def text(self, context: Context, identity: str) -> str:
        """What stands there; a KeyError where the set has none."""
        return context.around(self.texts[context.template][identity], identity)

    def swap(self, context: Context, first: str, second: str) -> Swap:
        texts = self.text(context, first), self.text(context, second)
        return Swap(context, first, second, texts)

    def halves(self) -> tuple["Space", "Space"]:
        """Where to search, and where to confirm: other templates and other lead-ins. To
        confirm takes the more, up to what is ENOUGH.
        """
        n = len(self.templates)
        kept = max((n + 1) // 2, min(ENOUGH, n - 2))
        # evenly over the lengths, so that neither half has the longer ones
        taken = [i * n // (n - kept) for i in range(n - kept)]
        search = tuple(self.templates[i] for i in taken)
        confirm = tuple(t for t in self.templates if t not in search)
        leads = (self.leads[::2], (self.leads[0], *self.leads[1::2]))
        return (
            replace(self, templates=search, leads=leads[0]),
            replace(self, templates=confirm, leads=leads[1]),
        )


def space(prompts: PromptSet) -> Space:
    """The identities of a set are its clusters; a template serves that has two."""
    texts: dict[str, dict[str, str]] = {}
    for p in prompts:
        if p.template:
            texts.setdefault(p.template, {}).setdefault(p.cluster, p.text)
    shared = [template for template, some in texts.items() if len(some) > 1]
    if len(shared) < 4:
        raise UsageError(
            f"prompts {prompts.name!r} have {len(shared)} templates with several "
            "identities; a swap is searched in some and confirmed in others, which "
            "takes 4. Name a set such as honest, or give yours templates."
        )
    return Space(
        tuple(sorted(shared, key=lambda t: (len(t), t))),
        LEADS,
        texts,
        {p.cluster: p.group for p in prompts},
    )


def contexts_of(templates: Sequence[str], leads: Sequence[str]) -> list[Context]:
    """Every template with every lead-in, otherwise as it is."""
    return [Context(template, lead) for template in templates for lead in leads]
