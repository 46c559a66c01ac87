"""The worst swap of a stage: what other contexts do not bear out is not confirmed, and
no text is traced twice.
"""

from dataclasses import replace

import numpy as np
import pytest

from bench.swaps import MadeCosts, made_space
from specfair import config
from specfair.audit import record
from specfair.audit.audit import Audit
from specfair.audit.search import search
from specfair.audit.session import Session, ask_all
from specfair.audit.worst import Costs, confirm
from specfair.config import Settings
from specfair.errors import UsageError
from specfair.gates.bounds import parse_rule
from specfair.report import render_html
from specfair.run.run import Run
from specfair.stats import Estimate
from specfair.traces.replay import replay
from specfair.vocabulary import BASE, CLAIMS


def judged(seed: int, **slower: float) -> Estimate:
    costs, (first, second) = MadeCosts(seed, slower), made_space().halves()
    found = search(first, costs.per_100, seed=seed)
    return confirm(second, found, costs)  # type: ignore[arg-type]  # costs as good as measured


def is_confirmed(made: Estimate) -> bool:
    return made.value > 0 and made.p_value() < 0.05


def test_noise_is_not_confirmed() -> None:
    """Of 200 worlds without anybody slower, at most 5% confirm one (2.5% by right:
    chance alone passes 5% once in 80 seeds).
    """
    assert np.mean([is_confirmed(judged(seed)) for seed in range(200)]) <= 0.05


def test_what_is_planted_is_confirmed_with_its_size() -> None:
    """The twin: 20 calls for 100 tokens, in nine of ten worlds."""
    made = [judged(seed, p05=20.0) for seed in range(20)]
    assert sum(map(is_confirmed, made)) >= 18
    assert 17 < np.mean([one.value for one in made]) < 23
    assert made[0].groups[0].startswith("p05 for p")
    assert made[0].n_prompts == 9
    assert made[0].method.startswith("searched, confirmed in 9 other templates")
    assert made[0].exploratory == ()


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    asked = {
        "groups": "female,male",
        "max_new_tokens": 6,
        "cost_ratio": 0.2,
        "store": str(tmp_path_factory.mktemp("worst")),
    }
    return config.override(Settings(), asked)


def test_costs_are_those_of_a_replay_and_are_kept(settings: Settings) -> None:
    said: list[str] = []
    audit = Audit(settings, said.append)
    trace = audit.base.trace
    with audit.made.pairs.lent(BASE) as loan:
        costs = Costs(audit.made, loan, {})
        texts = [prompt.text for prompt in trace.prompts][:5]
        tally = replay(trace, settings.deployed)
        assert np.array_equal(costs.of([*texts, texts[0]])[:5, 0], tally.n_rounds[:5])
        loan.end()  # what is known opens nothing
        assert costs.per_100(texts) == pytest.approx(
            100 * tally.n_rounds[:5] / tally.n_new_tokens[:5]
        )


def test_a_search_again_opens_no_pair_and_says_the_same(settings: Settings) -> None:
    first = Audit(settings).worst_swap("base")
    assert first.estimate.scope == "prompts"
    again = Audit(settings)
    again.made.pairs.closed = True
    assert again.worst_swap("base") == first


def test_a_bound_judges_it_and_the_run_shows_it(settings: Settings) -> None:
    """From the rule to the page, on what the store has."""
    rule = parse_rule("swap<=30~5")
    session = Session(replace(settings, gates=(rule,)), lambda _: None)
    ask_all(session, BASE)
    run = Run.from_json(record.build(session).to_json())
    (verdict,) = (v for v in run.verdicts if v.gate == "swap")
    (row,) = run.swaps
    assert verdict.decision == "pass"
    assert verdict.groups == (f"{row.slow} for {row.fast}",)
    assert (verdict.value, verdict.claim) == (row.value, CLAIMS["prompts"])
    assert "worst swap's extra target_calls for 100 tokens" in verdict.sentence
    assert 'id="section-swaps"' in render_html(run)


def test_a_server_is_not_asked(settings: Settings) -> None:
    served = Audit(config.override(settings, {"server": "http://localhost:1"}))
    with pytest.raises(UsageError, match="gate swap writes prompts of its own"):
        served.worst_swap("base")
