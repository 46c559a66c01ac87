"""`specfair plan`: what prompts would find, before any model runs, in words.

Knows a table and sentences. Does not know how anything in them is found.
"""

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from specfair import config, project
from specfair.audit.outlook import WANTED, Outlook, Prospect, Reach, outlook
from specfair.doors.printing import show
from specfair.errors import counted
from specfair.gates import bounds, kept
from specfair.run.run import stored_form
from specfair.stats.estimate import EXPLORATORY, some_of
from specfair.vocabulary import CLAIMS, OK

# errors of groups, the largest over the smallest, from which on a promise was found
# not to be kept (docs/statistics.md)
UNEQUAL = 2.0


def show_plan(options: argparse.Namespace) -> int:
    """Say what the prompts would find."""
    home = project.find(Path.cwd())
    asked = {name: getattr(options, name, None) for name in config.OPTIONS_BY_NAME}
    settings = config.load(home, asked)
    rules = bounds.all_rules(home.table, options.gate, settings.compared)
    pilot = kept.read_baseline(options.pilot, home.root) if options.pilot else None
    settings = replace(settings, gates=rules)
    found = outlook(settings, pilot, name=options.pilot or "")
    if options.format == "json":
        print(json.dumps(stored_form(asdict(found)), indent=1, allow_nan=False))
    else:
        show(*_lines(found))
    return OK


def _lines(found: Outlook) -> Iterator[str]:
    yield found.prompts
    basis = f"pilot: variances of baseline {found.pilot!r}"
    if not found.pilot:
        basis = "assumed, as nothing is measured (--pilot NAME takes a baseline's)"
    known = found.figures
    yield (
        f"{basis}: acceptance rate {known.rate:.2f}, {known.tokens:.0f} tested tokens "
        f"a prompt; standard deviations of {known.identity:.3f} between identities, "
        f"{known.drift:.3f} between their changes, {known.template:.3f} between "
        f"templates; prompts scatter {known.scatter:.1f} times as much as coins"
    )
    yield f"claims are about {CLAIMS[found.scope]} (scope {found.scope})"
    yield ""
    yield "prompts  identities  effective  error    gap   fall  group"
    for g in found.groups:
        yield (
            f"{g.n_prompts:>7,}  {g.n_clusters:>10,}  {g.effective:>9,.1f}  "
            f"{g.error:.3f}  {_number(g.gap)}  {_number(g.fall)}  {g.group}"
        )
    yield ""
    yield (
        "error: standard error of the group's rate; gap: the smallest distance behind "
        "all other groups that is told from none in 8 of 10 runs; fall: the smallest "
        f"loss after fine-tuning, in a family of {counted(len(found.groups), 'group')}"
    )
    yield "gates fail in 8 of 10 runs as configured, all other groups being alike,"
    for reach in found.gates:
        yield f"  {reach.gate:<20} {_reached(reach)}"
    yield from _unequal(found)
    yield from _exploratory([g for g in found.groups if g.exploratory], found.scope)
    yield from _sets(found)


def _number(value: float) -> str:
    return "    -" if math.isnan(value) else f"{value:5.3f}"


def _reached(reach: Reach) -> str:
    """What it takes, for the group that is seen best and for the one seen worst."""
    words = {
        "gap": "if one group lies {} behind",
        "ratio": "if one group's rate is {} of the others'",
        "gain": "if one group loses {}",
    }
    text = words.get(reach.gate.partition("<")[0].partition(">")[0])
    text = text or "if one group falls {} further than the others"
    if math.isnan(reach.best) and math.isnan(reach.worst):
        return "never: no group has the evidence"
    best = f"{_number(reach.best).strip()} ({reach.best_group})"
    worst = f"{_number(reach.worst).strip()} ({reach.worst_group})"
    return text.format(best if best == worst else f"{best} to {worst}")


def _unequal(found: Outlook) -> Iterator[str]:
    errors = [g.error for g in found.groups]
    asked = any(g.gate.startswith("widening") for g in found.gates)
    if asked and max(errors) > UNEQUAL * min(errors):
        yield (
            "the figure for widening is too hopeful where groups are known as "
            "unequally as these: expect it in about 6 of 10 runs instead of 8"
        )


def _exploratory(few: list[Prospect], scope: str) -> Iterator[str]:
    if not few:
        return
    names = [f"{g.group} ({g.effective:.2f})" for g in few]
    unit = "prompts" if scope == "prompts" else "identities"
    helps = f"{EXPLORATORY} {unit} of like size or more"
    if scope != "prompts":
        helps += "; or --scope prompts, if these identities are all there are"
    yield (
        f"exploratory, with fewer than {EXPLORATORY} effective {unit}: "
        f"{some_of(names)}. They never fail a gate. What helps: {helps}."
    )


def _sets(found: Outlook) -> Iterator[str]:
    """In prompts a group where identities are given, and do not count."""
    n = counted(len(found.groups), "group")
    for kind, what in (("gap", "a gap"), ("fall", "a fall")):
        sizes = [(getattr(s, kind), s.n_prompts) for s in found.sets]
        said = [f"{k} identities of {each} prompts" for k, each in sizes if k]
        if found.scope == "prompts":
            said = [f"{k * each:,} prompts" for k, each in sizes[:1] if k]
        if said:
            yield f"{what} of {WANTED:g} takes, in each of {n}: {' or '.join(said)}"
