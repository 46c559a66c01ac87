"""Identity swaps as hypothesis strategies, for tests of your own: `@given(swaps(
"honest"))`. Simplest first: short templates, no lead-in, everything as it is written.

Knows hypothesis, which the extra `search` installs, and loads it when a strategy is
made. Does not know what anything costs.
"""

from typing import TYPE_CHECKING, Any

from specfair.errors import UsageError
from specfair.texts import prompts as prompt_sets
from specfair.texts.prompts import PromptSet
from specfair.texts.swaps import (
    CASINGS,
    MARKS,
    SPELLINGS,
    Context,
    Space,
    Swap,
    space,
)

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


def hypothesis() -> Any:
    """The library, or what to do about its absence."""
    try:
        import hypothesis
        import hypothesis.database
        import hypothesis.strategies
    except ImportError as error:
        raise UsageError(
            "swaps are searched with hypothesis, which is not installed. Install "
            "specfair[search]."
        ) from error
    return hypothesis


def contexts(where: Space) -> "SearchStrategy[Context]":
    """Templates as they are, or with one change: a lead-in, other casing, punctuation
    or spelling. Several at once would leave little of what the set is about.
    """
    st = hypothesis().strategies
    template = st.sampled_from(where.templates)
    changes = {
        "lead": where.leads,
        "casing": CASINGS,
        "punctuation": MARKS,
        "spelling": SPELLINGS,
    }
    changed = (
        st.builds(Context, template, **{name: st.sampled_from(some[1:])})
        for name, some in changes.items()
    )
    found: SearchStrategy[Context] = st.one_of(st.builds(Context, template), *changed)
    return found


def swaps(where: str | PromptSet | Space) -> "SearchStrategy[Swap]":
    """Swaps of a prompt set, by its name as `prompts` has it, such as "honest:FOLDER";
    `.texts` are the two prompts, which differ in the identity alone.
    """
    if isinstance(where, str):
        where = prompt_sets.load(where)
    within = space(where) if isinstance(where, PromptSet) else where
    st = hypothesis().strategies

    def pairs(context: Context) -> "SearchStrategy[Swap]":
        names = st.sampled_from(sorted(within.texts[context.template]))
        two = st.lists(names, min_size=2, max_size=2, unique=True)
        found: SearchStrategy[Swap] = two.map(lambda pair: within.swap(context, *pair))
        return found

    made: SearchStrategy[Swap] = contexts(within).flatmap(pairs)
    return made
