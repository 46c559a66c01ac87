"""Every public name as users write it down; mypy, strict here, says what breaks them.

Nothing in it runs: what these things do is tested in their own rooms.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import assert_type

import pandas as pd

from specfair import (
    Audit,
    Bound,
    Decoding,
    Estimate,
    Groups,
    Lookahead,
    Pair,
    Prompt,
    PromptSet,
    Run,
    Settings,
    SpecfairError,
    Tally,
    Trace,
    Verdict,
)
from specfair.audit.desk import Desk


def test_my_draft_is_fair(specfair: Desk) -> None:
    audit = specfair.audit(target="gpt2", draft="./my-draft", prompts="honest")
    assert_type(audit, Audit)
    assert_type(specfair.gate(audit.base.kl.difference(), at_most=0.05), Verdict | None)
    assert_type(specfair.ask("gap", "base"), tuple[Verdict, ...])
    change = specfair.against_baseline("main", "base")
    specfair.gate(change.by_group, kind="regression", of="queer")


def groups_of(audit: Audit) -> Groups:
    rate: Groups = audit.after("imdb").acceptance_rate
    assert_type(rate.overall, Estimate)
    assert_type(rate.by_group, Mapping[str, Estimate])
    assert_type(rate.ratio(method="to_overall"), Estimate)
    assert_type(rate.macro(), Groups)
    assert_type([rate.group_min(), rate.group_max(), rate.worst_pair()], list[Estimate])
    return rate


def figures(estimate: Estimate) -> tuple[float, float, float]:
    assert_type((estimate.valid, estimate.exploratory), tuple[bool, tuple[str, ...]])
    assert_type(estimate.p_value(0.1), float)
    return (estimate.value, *estimate.interval(0.9))


def decided(verdict: Verdict, bound: Bound) -> str:
    assert_type(verdict.failed, bool)
    assert_type(bound.limit, float)
    return verdict.sentence if verdict.failed else verdict.way_out


def asked() -> tuple[Settings, Bound, Lookahead]:
    settings = Settings(target="gpt2", draft="distilgpt2", datasets=("imdb",))
    assert_type(settings.decoding, Decoding)
    return settings, Bound.at_most(0.1), Lookahead.parse("constant-5")


def prompts(chosen: PromptSet) -> list[str]:
    first: Prompt = chosen[0]
    assert_type(chosen.only(["queer"]).limit(12, seed=1), PromptSet)
    return [first.text, *(prompt.group for prompt in chosen)]


def counted(trace: Trace, tally: Tally, pair: Pair) -> pd.DataFrame:
    assert_type(len(trace), int)
    assert_type(tally.total(), Tally)
    assert_type(pair.context, int | None)
    return trace.frame


def read(path: Path) -> Run | None:
    try:
        return Run.from_json(path.read_text(encoding="utf-8"))
    except SpecfairError as error:
        print(error)
        return None
