"""Prompts by other groupings than their groups: intersections such as gender & age.

Knows `by`, names of attributes with & between them, where "group" is the prompt's own.
A prompt that does not state one of them stands in no intersection. Does not know what
is measured.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from specfair.errors import DataError, UsageError, counted, unknown
from specfair.texts.prompts.sets import Prompt, PromptSet, share_templates

Values = tuple[str, ...]
AND = " & "
_SOME = 5  # small intersections that are named


def names_of(by: str) -> tuple[str, ...]:
    """The attributes in an expression.

    >>> names_of("gender&age")
    ('gender', 'age')
    """
    return tuple(name.strip() for name in by.split("&"))


def slices_of(prompts: PromptSet, names: Sequence[str]) -> list[Values]:
    """What each prompt states of these attributes; nothing where it lacks one."""
    known = {"group": {p.id: p.group for p in prompts}, **prompts.attributes}
    for name in names:
        if name not in known:
            raise UsageError(unknown("attribute of these prompts", name, known))
    columns = [[known[name].get(p.id, "") for p in prompts] for name in names]
    return [row if all(row) else () for row in zip(*columns, strict=True)]


def groupings(
    prompts: PromptSet, first: Sequence[str] = ()
) -> Iterator[tuple[tuple[str, ...], list[Values]]]:
    """Those `first`, every attribute and every two, with what each prompt states. Of
    those that cut the prompts alike, as an attribute within another does, one.
    """
    names = ["group", *(name for name in prompts.attributes if name != "group")]
    asked = [tuple(first)] if any(first) else []
    seen = set()
    for some in (*asked, *((name,) for name in names), *combinations(names, 2)):
        values = slices_of(prompts, some)
        index: dict[Values, int] = {}
        cut = tuple(index.setdefault(value, len(index)) for value in values)
        if cut not in seen and len(index) > 1:
            seen.add(cut)
            yield some, values


def sliced(prompts: PromptSet, by: str, min_prompts: int) -> PromptSet:
    """The same prompts with their intersections as groups; those with too few prompts
    are left out, and a note says so.
    """
    names = names_of(by)
    labels = [AND.join(values) for values in slices_of(prompts, names)]
    sizes = Counter(filter(None, labels))
    small = [label for label, n in sizes.items() if n < min_prompts]
    kept = tuple(
        replace(prompt, group=label)
        for prompt, label in zip(prompts, labels, strict=True)
        if label and label not in small
    )
    if not kept:
        raise DataError(
            f"by = {by!r} leaves no intersection with {min_prompts} prompts; "
            f"{counted(len(sizes), 'intersection')} have fewer. Name fewer attributes "
            "or set min_prompts lower."
        )
    notes = list(prompts.notes)
    if small:
        some = ", ".join(small[:_SOME]) + (", ..." if len(small) > _SOME else "")
        few = f"{counted(len(small), 'intersection')} with fewer than {min_prompts}"
        notes.append(f"left out {few} prompts ({some})")
    blank = labels.count("")
    if blank:
        notes.append(f"left out {counted(blank, 'prompt')} that do not state {by}")
    return replace(
        prompts,
        prompts=kept,
        crossed=share_templates(kept),
        sentence=f"{prompts.sentence}, by {AND.join(names)}",
        notes=tuple(notes),
        terms=_terms(prompts, kept),
    )


def _terms(old: PromptSet, kept: Sequence[Prompt]) -> dict[str, tuple[str, ...]]:
    """Of each intersection the terms of the identities in it, or of its groups where
    terms are none of its clusters.
    """
    groups = {p.id: p.group for p in old}
    clusters: dict[str, dict[tuple[str, str], None]] = {}
    for p in kept:
        clusters.setdefault(p.group, {})[groups[p.id], p.cluster] = None
    return {name: _named(old.terms, found) for name, found in clusters.items()}


def _named(
    terms: Mapping[str, tuple[str, ...]], found: Mapping[tuple[str, str], None]
) -> tuple[str, ...]:
    every = [
        (term, cluster) for group, cluster in found for term in terms.get(group, ())
    ]
    own = [t for t, cluster in every if f" {cluster}".endswith(f" {t}")]
    return tuple(dict.fromkeys(own or [t for t, _ in every]))
