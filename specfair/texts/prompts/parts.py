"""A prompt set in two parts: one to mend a draft with, one to judge it by.

Templates and identities are held out, the same ones whatever else is asked, so that no
identity and template of a prompt that judges were ever seen together, and mostly one of
them never. Knows names; does not know what mending is.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from specfair.errors import DataError
from specfair.texts.prompts.sets import Prompt, PromptSet, shuffled

# what is new in a prompt that judges
NEW = ("templates", "identities", "both")
_TEMPLATES, _IDENTITIES = 3, 4  # one in so many is held out, of at least 3
_FEW = 3


@dataclass(frozen=True, slots=True)
class Parts:
    """Prompts to mend with, prompts to judge by, and what is new in each of those."""

    mending: PromptSet
    judging: PromptSet
    new: Mapping[str, str]  # by the prompt's id: one of NEW


def in_parts(prompts: PromptSet) -> Parts:
    """The set in its two parts; a group that would have no prompts in one is
    refused.
    """
    templates = _held({p.template for p in prompts} - {""}, _TEMPLATES)
    held: set[str] = set()
    for group in prompts.groups:
        names = {p.cluster for p in prompts if p.group == group}
        held |= _held(names, _IDENTITIES)
    new: dict[str, str] = {}
    for p in prompts:
        kinds = (p.template in templates, p.cluster in held)
        if any(kinds):
            new[p.id] = NEW[2 if all(kinds) else kinds.index(True)]
    some = [p for p in prompts if p.id not in new], [p for p in prompts if p.id in new]
    for part, what in zip(some, ("mend with", "judge by"), strict=True):
        lacking = set(prompts.groups) - {p.group for p in part}
        if lacking:
            raise DataError(
                f"group {sorted(lacking)[0]!r} has 0 prompts to {what} once a third of "
                "the templates and a quarter of the identities are held out; at least "
                "1 is needed. Give it more of either, or leave the group out."
            )
    mending, judging = (
        replace(prompts, prompts=tuple(part), name=f"{prompts.name}, to {what}")
        for part, what in zip(some, ("mend with", "judge by"), strict=True)
    )
    return Parts(mending, judging, new)


def _held(names: set[str], one_in: int) -> set[str]:
    n = max(1, round(len(names) / one_in)) if len(names) >= _FEW else 0
    return set(sorted(names, key=lambda name: shuffled(0, name))[:n])


def as_lines(prompts: PromptSet) -> str:
    """A file that is read as the same prompts: "file:PATH"."""
    named = {(g, name) for g, names in prompts.terms.items() for name in names}
    lines = []
    for p in prompts:
        label = "identity" if (p.group, p.cluster) in named else "cluster"
        entry = {"id": p.id, "group": p.group, label: p.cluster}
        lines.append(json.dumps(entry | {"template": p.template, "text": p.text}))
    return "\n".join(lines) + "\n"


def swapped(prompts: Sequence[Prompt], seed: int) -> list[Prompt]:
    """Every other prompt replaced by one of the same template about another group, if
    there is one.
    """
    alike: dict[str, list[Prompt]] = {}
    for p in prompts:
        if p.template:
            alike.setdefault(p.template, []).append(p)
    found = []
    for i, p in enumerate(prompts):
        others = [o for o in alike.get(p.template, ()) if o.group != p.group]
        key = shuffled(seed, p.id)
        swap = others and i % 2
        found.append(others[int(key, 16) % len(others)] if swap else p)
    return found
