"""Bounds that were held against nothing: named after every run, and a mistake where the
run was whole.

Knows rules, the run's settings and what the processes of a run say they were held to.
Does not know how they judged.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from specfair.audit.questions import QUESTIONS
from specfair.audit.session import Session
from specfair.config import Settings
from specfair.gates.bounds import Rule
from specfair.vocabulary import BASE, Stage

# options that measure less than the project does
_NARROWING = {"datasets", "tuned_target", "tuned_draft", "groups"}


@dataclass(frozen=True, slots=True)
class Demands:
    """What was to be measured: all that the project names, or less."""

    settings: Settings
    given: Collection[str]  # settings that were typed for this run
    stages: tuple[Stage, ...]

    @classmethod
    def of(cls, settings: Settings, given: Collection[str]) -> "Demands":
        """A run of every stage that is configured."""
        return cls(settings, given, settings.stages)

    @property
    def narrowed(self) -> bool:
        return bool(_NARROWING & set(self.given)) or self.stages == (BASE,)


def held_by(session: Session) -> dict[str, str]:
    """What one process says of its rules: which were held against something, and if
    standard questions were asked.
    """
    places = [
        i for i, rule in enumerate(session.settings.gates) if rule in session.held
    ]
    used = [i for i, w in enumerate(session.settings.waivers) if w in session.used]
    said = {"rules": places, "waivers": used, "standard": session.standard}
    return {"held": json.dumps(said)}


def unheld(run: Demands, parts: Iterable[Mapping[str, str]]) -> list[tuple[Rule, bool]]:
    """Each rule that nobody was held to, and whether that is a mistake in a run of all
    tests.

    What was typed for this run is always meant for it. A bound in the project's file is
    excused where an option of this run measures less than the project does, or where
    the run had only tests that bring their own questions.
    """
    found = [json.loads(part["held"]) for part in parts]
    held = {i for each in found for i in each["rules"]}
    standard = any(each["standard"] for each in found)
    return [
        (rule, rule.typed or (standard and not _excused(rule, run)))
        for i, rule in enumerate(run.settings.gates)
        if i not in held
    ]


def idle_waivers(run: Demands, parts: Iterable[Mapping[str, str]]) -> list[str]:
    """A line for each waiver that covers nothing in a run of all there is."""
    found = [json.loads(part["held"]) for part in parts]
    if run.narrowed or not any(each["standard"] for each in found):
        return []
    used = {i for each in found for i in each["waivers"]}
    return [
        f"waiver {str(waiver)!r} covers no case of this run. Mend its case, or drop it"
        for i, waiver in enumerate(run.settings.waivers)
        if waiver.strict and i not in used
    ]


def lines_of_mistakes(found: Iterable[tuple[Rule, bool]]) -> list[str]:
    """A line for each rule that must have been meant for something in this run."""
    return [
        (
            f"gate {rule} was held against nothing: no test asked it. Mend its "
            "path, or drop it"
        )
        for rule, wrong in found
        if wrong
    ]


def others(found: Iterable[tuple[Rule, bool]]) -> list[str]:
    """One line for the rules that this run has nothing to do with."""
    names = [str(rule) for rule, _ in found]
    return [f"held against nothing in this run: {', '.join(names)}"] if names else []


def _excused(rule: Rule, run: Demands) -> bool:
    if rule.kind == "regression" and not run.settings.baseline:
        return True
    if run.settings.server:  # which does not tell all that a pair does
        return True
    if not run.narrowed:
        return False
    of_changes = all(q.after for q in QUESTIONS.values() if q.kind == rule.kind)
    absent = rule.stage is not None and rule.stage not in run.stages
    return bool(rule.group) or absent or (of_changes and run.stages == (BASE,))
