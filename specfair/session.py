"""A Session: the audits and verdicts of one run of tests, and what they leave behind.

Knows how a test's question finds its bound and its family, and collects the answers. It does not know pytest: the
plugin turns a Verdict into a passed or failed test.
"""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from specfair import baseline, bounds, config, gates, stats
from specfair.audit import GATED, Audit
from specfair.errors import plain, typed
from specfair.report import page
from specfair.stats import Estimate
from specfair.tracing import Say


@dataclass(frozen=True, slots=True)
class Case:
    """Who asks: its name in words, how to ask it again, and what it is about."""

    name: str  # "imdb-female"
    command: str  # what a person types to see it again
    stage: str = ""  # a dataset, or "base"
    group: str = ""
    audits: list[Audit] = field(default_factory=list, compare=False)  # what it has looked at

    @property
    def about(self) -> str:
        """What it was measured on, in one line; empty where it looked at no audit."""
        return " and ".join(dict.fromkeys(about(audit) for audit in self.audits))


@dataclass(slots=True)
class Session:
    """Everything asked and answered so far."""

    settings: config.Settings
    say: Say
    audits: dict[config.Settings, Audit] = field(default_factory=dict)
    verdicts: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    baselines: dict[str, baseline.Baseline] = field(default_factory=dict)
    ungated: Counter[str] = field(default_factory=Counter)  # questions by kind that no bound was configured for
    doubts: dict[tuple[config.Settings, str], str] = field(default_factory=dict)

    def audit(self, **changes: Any) -> Audit:
        """The audit under the configured settings, or under others; each is made once."""
        settings = config.override(self.settings, changes)
        if settings not in self.audits:
            self.audits[settings] = Audit(settings, self.say)
        return self.audits[settings]

    def bound(self, kind: str, case: Case, metric: str = "") -> gates.Bound | None:
        """The bound configured for the case, None where the gate is off; that is counted, so that it can be said."""
        found = bounds.bound_for(self.settings.gates, kind, dataset=case.stage, group=case.group, metric=metric)
        self.ungated[kind] += found is None
        return found

    def judge(self, asked: Estimate | Mapping[str, Estimate], bound: gates.Bound, case: Case, of: str) -> gates.Verdict:
        """The verdict on one estimate, or on one member of a family after Holm's correction; kept for the report."""
        family = {of: asked} if isinstance(asked, Estimate) else dict(asked)
        doubt = self._doubt(case)
        if doubt:
            family = {name: stats.invalid(doubt) for name in family}
        bound = replace(bound, strict=bound.strict or self.settings.strict)
        verdicts = gates.check_family(family, bound, case.name)
        verdict = verdicts[of]
        stored = gates.to_dict(verdict) | {"reproduce": case.command, "dataset": case.stage, "about": case.about}
        self.verdicts[case.name, case.command, bound.kind] = stored
        return verdict

    def _doubt(self, case: Case) -> str:
        """Why replayed counts that the case looked at cannot be relied on; empty where live decoding agrees.

        A case about a dataset rests on the base pair as well, where that was measured.
        """
        for audit in case.audits:
            for stage in audit.stages:
                if audit.settings.engine == "replay" and (stage == config.BASE or case.stage in ("", stage)):
                    key = (audit.settings, stage)
                    if key not in self.doubts:
                        self.doubts[key] = audit.agreement(stage).problem
                    if self.doubts[key]:
                        return self.doubts[key]
        return ""

    def against_baseline(self, audit: Audit, name: str, stage: str, root: Path) -> baseline.Change:
        """Now minus the stored baseline, on the same prompts."""
        if name not in self.baselines:
            self.baselines[name] = baseline.read(name, root)
        now = snapshot(audit, (stage,))
        baseline.check_comparable(self.baselines[name], now, name)
        return baseline.compare(self.baselines[name], now, stage)

    @property
    def measured(self) -> Audit | None:
        """The audit a report is about: the configured one, or else the first that measured anything."""
        audits = [self.audits[self.settings]] if self.settings in self.audits else []
        return next((a for a in (*audits, *self.audits.values()) if a.stages), None)


def invoked() -> str:
    """The command that runs now, without the folder of its program."""
    program = Path(sys.argv[0])
    module = program.name == "__main__.py"
    return typed([*(("python", "-m", program.parent.name) if module else (program.name,)), *sys.argv[1:]])


def about(audit: Audit) -> str:
    """The pair, the prompts as filtered, and how they are decoded, in one line: as a report says it of its own."""
    settings = {f.name: getattr(audit.settings, f.name) for f in config.OPTIONS}
    return page.about(settings, audit.prompts.sentence, str(audit.settings.decoding))


def explain(verdict: gates.Verdict, case: Case) -> str:
    """What a failed test prints: the sentence, expected and actual, who it is about, and how to run it alone."""
    who = "; ".join(f"{group}: {n[0]:,} prompts, {n[1]:,} clusters" for group, n in verdict.n.items())
    rows = {
        "expected": f"{verdict.gate} {verdict.comparison} {verdict.bound:g}, minimum effect {verdict.min_effect:g}",
        "actual": f"{verdict.value:.4g}, 95% interval {verdict.low:.4g} to {verdict.high:.4g}",
        "evidence": f"p = {verdict.p_value:.2g}, {verdict.p_holm:.2g} after Holm",
        "groups": " against ".join(verdict.groups) or "all",
        "n": who,
        "way out": verdict.way_out,
        "measured": case.about,
        "alone": case.command,
    }
    return "\n".join([plain(verdict.sentence), *(f"  {name:<9} {plain(text)}" for name, text in rows.items() if text)])


def standard(session: Session, stage: str) -> None:
    """Ask the questions of evals/ about one stage, for those who run no tests."""
    audit, measured = session.audit(), session.audit().measured(stage)
    rate = measured.acceptance_rate
    asked: dict[str, Mapping[str, Estimate]] = {
        "gap": {"": rate.difference()},
        "ratio": {"": rate.ratio()},
        "speedup": {"": measured.mean_acceptance_length.ratio()},
        "confident_rejections": {"": measured.confident_rejections.difference()},
    }
    if stage != config.BASE:
        asked |= {"gain": audit.gains(stage), "widening": {"": audit.widening(stage)}}
    for kind, family in asked.items():
        for member in family:
            name = "-".join(filter(None, (stage, member)))
            case = Case(name, invoked(), stage, member, [audit])
            bound = session.bound(kind, case)
            if bound is not None:
                session.judge(family, bound, case, member)


def snapshot(audit: Audit, stages: Sequence[str]) -> baseline.Baseline:
    """What the audit measured at these stages, as a baseline keeps it. Folders are named by their last part only."""
    settings = audit.settings
    about = {
        "metric": GATED,
        "lookahead": settings.lookahead,
        "decoding": str(settings.decoding),
        "prompts": audit.prompts.name,
        "prompts_fingerprint": audit.prompts.fingerprint,
        "target": Path(settings.target).name,
        "draft": Path(settings.draft).name,
        "target_fingerprint": audit.pair.target_fingerprint[:16],
        "draft_fingerprint": audit.pair.draft_fingerprint[:16],
    }
    return baseline.take({stage: audit.measured(stage).sample(GATED) for stage in stages}, about)
