"""A Session: the audits and verdicts of one run of tests, and what they leave behind.

Knows how a test's question finds its bound and its family, and collects the answers. It
does not know pytest: the plugin turns a Verdict into a passed or failed test.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from specfair import config, gates, stats
from specfair.audit import questions
from specfair.audit.audit import Audit
from specfair.audit.case import Case, invoked, told_how
from specfair.audit.lending import Say
from specfair.decoding import COUNTINGS
from specfair.errors import UsageError, unknown
from specfair.gates import baseline, bounds, kept
from specfair.gates.waivers import Waiver, waived
from specfair.outputs import without_folders
from specfair.run.verdict import Verdict
from specfair.stats import Estimate
from specfair.vocabulary import BASE, Stage


@dataclass(slots=True)
class Session:
    """Everything asked and answered so far."""

    settings: config.Settings
    say: Say
    audits: dict[config.Settings, Audit] = field(default_factory=dict)
    verdicts: dict[tuple[Any, ...], Verdict] = field(default_factory=dict)
    baselines: dict[str, baseline.Baseline] = field(default_factory=dict)
    # questions by kind that no bound was configured for
    ungated: Counter[str] = field(default_factory=Counter)
    # rules that some case was held to
    held: set[bounds.Rule] = field(default_factory=set)
    used: set[Waiver] = field(default_factory=set)  # waivers that covered some verdict
    standard: bool = False  # whether any of the standard questions was asked
    today: date = field(default_factory=date.today)
    doubts: dict[tuple[config.Settings, Stage], str] = field(default_factory=dict)

    def audit(self, **changes: Any) -> Audit:
        """The audit under the configured settings, or under others; each is made
        once.
        """
        settings = config.override(self.settings, changes).measurement
        if settings not in self.audits:
            self.audits[settings] = Audit(settings, self.say)
        return self.audits[settings]

    def bound(self, kind: str, case: Case, metric: str = "") -> gates.Bound | None:
        """The bound configured for the case, None where the gate is off; that is
        counted, so that it can be said.
        """
        if kind not in gates.KINDS or kind in gates.OWN:
            known = [name for name in gates.KINDS if name not in gates.OWN]
            raise UsageError(unknown("gate", kind, known) if kind else _no_bound(case))
        where = bounds.Where(case.stage or BASE, case.group, metric)
        self.held.update(bounds.covering(self.settings.gates, kind, where))
        found = bounds.bound_for(self.settings.gates, kind, where)
        self.ungated[kind] += found is None
        return found

    def _bounds(
        self, family: Mapping[str, Estimate], bound: gates.Bound, case: Case, of: str
    ) -> dict[str, gates.Bound]:
        """Each member's own bound. Members are groups where the case is about one of
        them and is asked for by its name; one whose gate is off is none. The one asked
        for is held at the bound that was given.
        """
        if not case.group or of != case.group or bound.kind in gates.OWN:
            return dict.fromkeys(family, bound)
        found = {of: bound}
        for name in family:
            where = bounds.Where(case.stage or BASE, name, bound.metric)
            own = bounds.bound_for(self.settings.gates, bound.kind, where)
            if own is not None and name != of:
                found[name] = own
        return found

    def _times(self, kind: str, case: Case) -> int:
        """How many stages a run asks this question of, which is one family."""
        stages = self.settings.stages
        if kind in gates.OWN or self.settings.family == "stage":
            return 1
        if case.stage not in stages:
            return 1
        after = [q.after for q in questions.QUESTIONS.values() if q.kind == kind]
        return len(stages) - (bool(after) and all(after))

    def judge(
        self,
        asked: Estimate | Mapping[str, Estimate],
        bound: gates.Bound,
        case: Case,
        of: str,
    ) -> Verdict:
        """The verdict on one estimate, or on one member of a family after Holm's
        correction; kept for the report.
        """
        family = {of: asked} if isinstance(asked, Estimate) else dict(asked)
        if of not in family:
            raise UsageError(
                unknown(f"member of the family that {case.name} asks about", of, family)
            )
        doubt = self._doubt(case)
        if doubt:
            family = {name: stats.invalid(doubt) for name in family}
        bound = replace(
            bound, strict=bound.strict or case.strict or self.settings.strict
        )
        own = self._bounds(family, bound, case, of)
        family = {name: family[name] for name in own}
        times = self._times(bound.kind, case)
        verdict = gates.check_family(family, own, case.name, times=times)[of]
        asked_of = (bound.kind, bound.metric)
        verdict = replace(
            verdict,
            stage=case.stage,
            reproduce=without_folders(case.command),
            about=case.about,
            of=of,
            nth=case.asked[asked_of],
            way_out=told_how(verdict.way_out, self.settings, case.stage),
        )
        verdict, waiver = waived(verdict, self.settings.waivers, self.today)
        if waiver:
            self.used.add(waiver)
        case.asked[asked_of] += 1
        self.verdicts[case.name, case.command, *asked_of, verdict.nth] = verdict
        return verdict

    def ask(self, name: str, audit: Audit, case: Case, of: str) -> list[Verdict]:
        """A standard question, in every metric that a bound is configured for; what is
        off is not computed.
        """
        asked = questions.question(name)
        self.standard = True
        metrics = bounds.metrics_bounded(self.settings.gates, asked.kind)
        found = []
        if not asked.where(audit.settings):
            return []
        measured = audit.measured(case.stage or BASE)
        for metric in metrics if asked.any_metric else metrics[:1]:
            if not measured.tells(metric):
                continue
            bound = self.bound(asked.kind, case, metric)
            if bound is not None:
                answers = asked.asks(audit, case.stage or BASE, metric)
                found.append(self.judge(answers, bound, case, of))
        return found

    def _doubt(self, case: Case) -> str:
        """Why replayed counts that the case looked at cannot be relied on; empty where
        live decoding agrees.

        A case about a dataset rests on the base pair as well, where that was measured.
        """
        for audit in case.audits:
            for stage in audit.stages:
                if stage == BASE or case.stage in (None, stage):
                    key = (audit.settings, stage)
                    if key not in self.doubts:
                        self.doubts[key] = audit.doubt(stage)
                    if self.doubts[key]:
                        return self.doubts[key]
        return ""

    def against_baseline(
        self, audit: Audit, name: str, stage: Stage, root: Path
    ) -> baseline.Change:
        """Now minus the stored baseline, on the same prompts."""
        if name not in self.baselines:
            self.baselines[name] = kept.read_baseline(name, root)
        now = snapshot(audit, (stage,))
        baseline.check_comparable(self.baselines[name], now, name)
        scope = audit.settings.scope
        return baseline.change_at(self.baselines[name], now, stage, scope)

    @property
    def measured(self) -> Audit | None:
        """The audit a report is about: the configured one, or else the first that
        measured anything.
        """
        configured = self.settings.measurement
        audits = [self.audits[configured]] if configured in self.audits else []
        return next((a for a in (*audits, *self.audits.values()) if a.stages), None)


def _no_bound(case: Case) -> str:
    return (
        f"gate of {case.name} has neither a kind nor a bound of its own. Write "
        "kind='gap', or at_most=0.05."
    )


def ask_all(session: Session, stage: Stage) -> None:
    """Every standard question about one stage, as the evals ask them, for those who run
    no tests.
    """
    audit = session.audit()
    bounded = {rule.kind for rule in session.settings.gates}
    for name, asked in questions.QUESTIONS.items():
        if (asked.after and stage == BASE) or (
            asked.slow and asked.kind not in bounded
        ):
            continue
        for member in {
            "group": audit.prompts.groups,
            "lookahead": audit.settings.other_lookaheads,
        }.get(asked.by, ("",)):
            group = member if asked.by == "group" else ""
            case = Case(
                "-".join(filter(None, (str(stage), member))),
                invoked(),
                stage,
                group,
                audits=[audit],
            )
            session.ask(name, audit, case, member)


def snapshot(audit: Audit, stages: Sequence[Stage]) -> baseline.Baseline:
    """What the audit measured at these stages, as a baseline keeps it. Folders are
    named by their last part only.
    """
    settings, pair = audit.settings, audit.identity(BASE)
    counted = COUNTINGS[settings.counting]
    about = {
        "metric": audit.base.gated,
        "lookahead": ", ".join(filter(None, (str(audit.base.lookahead), counted))),
        "decoding": str(settings.decoding),
        "continuations": str(settings.continuations),
        "prompts": audit.prompts.name,
        "prompts_fingerprint": audit.prompts.fingerprint,
        "target": Path(pair.target_name).name,
        "draft": Path(pair.draft_name).name,
        "target_fingerprint": pair.target_fingerprint[:16],
        "draft_fingerprint": pair.draft_fingerprint[:16],
    }
    return baseline.take(
        {stage: audit.measured(stage).sample(audit.base.gated) for stage in stages},
        about,
    )
