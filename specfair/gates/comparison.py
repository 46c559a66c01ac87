"""Two baselines side by side: every stage and group compared by prompt, gated, and
printed in four forms.

Knows tables and exit codes. It does not know how either baseline was measured.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from xml.etree import ElementTree

from specfair import gates
from specfair.errors import plain
from specfair.gates import baseline, bounds, kept
from specfair.gates.bounds import Rule, Where
from specfair.run.run import stored_form
from specfair.run.verdict import Verdict
from specfair.vocabulary import OK, UNDECIDED, Stage, exit_code

KIND = "regression"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The verdict on every case that both have, and what only one of them has."""

    old: str
    new: str
    verdicts: tuple[Verdict, ...]
    absent: tuple[Stage, ...]  # in the old, not measured in the new
    added: tuple[Stage, ...]  # in the new, not in the old

    @property
    def exit_code(self) -> int:
        """0 ok, 1 a regression, 3 undecided or incomplete."""
        code = exit_code(v.decision for v in self.verdicts)
        return UNDECIDED if code == OK and self.absent else code


def held_against(
    old: str,
    new: str,
    *,
    root: Path,
    rules: Iterable[Rule] = (),
    scope: str = "identities",
) -> Comparison:
    """Compare two baselines by name or path; Holm's correction is over the groups of
    all stages, as in the evals.
    """
    before, after = (_read(name, root) for name in (old, new))
    baseline.check_comparable(before, after, old)
    both = [stage for stage in before.counts if stage in after.counts]
    rules, verdicts = tuple(rules), list[Verdict]()
    for stage in both:
        change = baseline.change_at(before, after, stage, scope)
        found = judge(change, stage=stage, rules=rules, times=len(both))
        verdicts += found.values()
    added = tuple(stage for stage in after.counts if stage not in before.counts)
    return Comparison(
        old,
        new,
        tuple(verdicts),
        tuple([stage for stage in before.counts if stage not in after.counts]),
        added,
    )


def _read(name: str, root: Path) -> baseline.Baseline:
    """A path ends with .json; all else is a name."""
    return (
        kept.read_file(Path(name), name)
        if name.endswith(".json")
        else kept.read_baseline(name, root)
    )


def judge(
    change: baseline.Change, *, stage: Stage, rules: tuple[Rule, ...], times: int = 1
) -> Mapping[str, Verdict]:
    """The verdicts of one stage by case, everyone together first; cases whose gate is
    off are left out.
    """
    found: dict[str, Verdict] = {}
    overall = bounds.bound_for(rules, KIND, Where(stage))
    if overall is not None:
        case = baseline.case_of(stage, None)
        asked = {case: change.overall}
        verdict = gates.check_family(asked, overall, case, times=times)[case]
        found[case] = replace(verdict, stage=stage)
    own = {}
    for group in change.by_group:
        bound = bounds.bound_for(rules, KIND, Where(stage, group))
        if bound is not None:
            own[group] = bound
    family = {group: change.by_group[group] for group in own}
    for group in family:
        case = baseline.case_of(stage, group)
        verdict = gates.check_family(family, own, case, times=times)[group]
        found[case] = replace(verdict, stage=stage)
    return found


def _text(found: Comparison) -> str:
    lines = [f"{v.decision:<12} {v.sentence}" for v in found.verdicts]
    lines += [
        f"{'incomplete':<12} {stage}: in {found.old}, not in {found.new}"
        for stage in found.absent
    ]
    lines += [f"{'new':<12} {stage}: not in {found.old}" for stage in found.added]
    return "\n".join(map(plain, lines))


def _markdown(found: Comparison) -> str:
    rows = ["| case | decision | change | 95% interval |", "| --- | --- | --- | --- |"]
    rows += [
        (
            f"| {_cell(v.case)} | {v.decision} | {v.value:+.3f} | {v.low:+.3f} to "
            f"{v.high:+.3f} |"
        )
        for v in found.verdicts
    ]
    rows += [f"| {_cell(str(stage))} | incomplete | | |" for stage in found.absent]
    return "\n".join([f"### {_cell(found.old)} against {_cell(found.new)}", "", *rows])


def _cell(text: str) -> str:
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>()#+!|" else c for c in plain(text))


def _json(found: Comparison) -> str:
    whole = {f.name: stored_form(getattr(found, f.name)) for f in fields(found)}
    whole["exit_code"] = found.exit_code
    return json.dumps(whole, indent=1, sort_keys=True, allow_nan=False)


def _junit(found: Comparison) -> str:
    bad = [v for v in found.verdicts if v.decision in ("fail", "invalid")]
    counts = {
        "tests": len(found.verdicts) + len(found.absent),
        "failures": len(bad) + len(found.absent),
    }
    suite = ElementTree.Element(
        "testsuite",
        {"name": "specfair compare", **{k: str(n) for k, n in counts.items()}},
    )
    for verdict in found.verdicts:
        case = ElementTree.SubElement(
            suite, "testcase", name=plain(verdict.case), classname=KIND
        )
        if verdict in bad:
            ElementTree.SubElement(case, "failure", message=plain(verdict.sentence))
    for stage in found.absent:
        case = ElementTree.SubElement(
            suite, "testcase", name=plain(str(stage)), classname=KIND
        )
        ElementTree.SubElement(
            case,
            "failure",
            message=plain(f"{stage} is in {found.old} but was not measured"),
        )
    return ElementTree.tostring(suite, encoding="unicode")


FORMATS: Mapping[str, Callable[[Comparison], str]] = {
    "text": _text,
    "md": _markdown,
    "json": _json,
    "junit": _junit,
}
