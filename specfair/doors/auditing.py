"""`specfair audit`: every standard question without pytest, printed and written down.

Knows the order of a run and its exit code. Does not know how anything is measured.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from specfair import config, outputs, project, workers
from specfair.audit import holding, record, writing
from specfair.audit.session import Session, ask_all
from specfair.doors.printing import tell
from specfair.errors import plain
from specfair.gates import bounds
from specfair.gates.waivers import waivers_of
from specfair.run.drafts import drafts_said
from specfair.run.run import Run
from specfair.run.summary import by_mistake, reach, worst_gaps
from specfair.run.verdict import Verdict
from specfair.vocabulary import BASE, USAGE, exit_code

_ORDER = ("invalid", "fail", "insufficient", "pass")


def run_audit(options: argparse.Namespace) -> int:
    """Measure and judge what is configured."""
    asked = {f.name: getattr(options, f.name, None) for f in config.OPTIONS}
    given = {name: value for name, value in asked.items() if value is not None}
    home = project.find(Path.cwd())
    settings = config.load(home, given)
    rules = bounds.all_rules(home.table, options.gate, settings.compared)
    strict = not options.gate and config.AS_CONFIGURED.issuperset(given)
    waivers = waivers_of(home.table.get("waive", []), strict=strict)
    settings = replace(settings, gates=rules, waivers=waivers)
    to = outputs.of(options.out, option="--out") if options.out is not None else None
    session = Session(settings, say=tell)
    named = settings.datasets or settings.ready_made
    stages = settings.stages if named else (BASE,)
    audit = session.audit()
    _ = audit.prompts  # what cannot be compared is refused before anything runs
    audit.measure(stages)
    for stage in stages:
        ask_all(session, stage)
    return _finish(session, holding.Demands(settings, given, stages), to)


def _finish(session: Session, run: holding.Demands, to: outputs.Outputs | None) -> int:
    """Print the verdicts, write the run, and say what was not held or not written."""
    unheld = holding.unheld(run, [holding.held_by(session)])
    wrong = holding.lines_of_mistakes(unheld)
    wrong += holding.idle_waivers(run, [holding.held_by(session)])
    report = record.build(session)
    code = exit_code(v.outcome for v in report.verdicts)
    if not workers.leads():  # the first of several speaks for all
        return code
    print(_text(report), flush=True)
    lost: list[str] = []
    if to:
        writing.write_files(report, to, lost)
    rest = holding.others([each for each in unheld if not each[1]])
    said = [
        f"measured: {report.about}",
        *worst_gaps(report),
        *drafts_said(report.drafts),
    ]
    said += filter(None, [reach(report), by_mistake(report)])
    if to and not lost:
        said.append(f"report: {to.html}")
    for line in (*said, *wrong, *rest, *lost):
        tell(line)
    if lost or wrong:
        return USAGE
    return code


def _text(report: Run) -> str:
    def place(verdict: Verdict) -> int:
        return _ORDER.index(verdict.decision)

    ordered = sorted(report.verdicts, key=place)
    return "\n".join(plain(f"{v.decision:<12} {v.sentence}") for v in ordered)
