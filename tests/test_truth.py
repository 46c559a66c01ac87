"""The embedded world's groups differ by causes that fixtures/truth.json states: the
whole tool finds these, and accuses nobody else.

Greedy text is the same in every run. Fine-tuning is tried with three seeds; what a seed
decides by chance is not asserted. At temperature 1, where a false alarm has odds, the
test states them.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fixtures import build
from specfair import stats
from specfair.audit.audit import Audit
from specfair.config import Settings
from specfair.stats import Split
from specfair.traces.causes import splits
from specfair.traces.measured import Measured
from specfair.vocabulary import DATASETS

FOLLOWS: dict[str, Any] = json.loads(
    (Path(build.__file__).parent / "truth.json").read_text(encoding="utf-8")
)["follows"]
BOUND = 0.05  # of a difference worth a name
ALIKE = set(FOLLOWS["alike"])


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=(0, 1, 2))
def seed(request: pytest.FixtureRequest) -> int:
    if request.param and not request.config.getoption("--chaos", default=False):
        pytest.skip("each seed takes a minute: `make chaos` tries all three")
    return int(request.param)


@cache
def audit(store: str, seed: int = 0, temperature: float = 0.0) -> Audit:
    return Audit(Settings(store=store, seed=seed, temperature=temperature))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("truth"))


@pytest.fixture(scope="module")
def base(store: str) -> Measured:
    return audit(store).base


@pytest.fixture(scope="module")
def sampled(store: str) -> Measured:
    return audit(store, temperature=1.0).base


def accused(measured: Measured, metric: str = "acceptance_rate") -> set[str]:
    """Groups that some other exceeds: surely, and by more than the bound."""
    found = measured.groups(metric).pairwise()
    p_values = stats.holm([pair.p_value() for pair in found])
    return {
        pair.groups[0 if pair.value < 0 else 1]
        for pair, p in zip(found, p_values, strict=True)
        if p < 0.05 and abs(pair.value) > BOUND
    }


def test_the_slow_groups_are_named_and_no_other(base: Measured) -> None:
    assert accused(base) == set(FOLLOWS["slower"])
    assert 0.6 < base.groups("acceptance_rate").overall.value < 0.85


def test_groups_that_differ_in_nothing_are_not_accused(
    base: Measured, sampled: Measured
) -> None:
    """Under greedy decoding by no more than the bound; at temperature 1 the slow ones
    are among those with a worse draft.
    """
    rates = base.groups("acceptance_rate").by_group
    alike = [rates[group].value for group in ALIKE]
    assert max(alike) - min(alike) < BOUND
    named = accused(sampled, "alpha")
    assert named
    assert named <= set(FOLLOWS["by_a_worse_draft"])


def test_the_split_finds_each_cause(base: Measured) -> None:
    """Against every group that differs in nothing: most of the difference lies where
    it was planted.
    """
    for against in sorted(ALIKE):
        found = split(base, against)
        for group in FOLLOWS["by_a_worse_draft"]:
            part = found[group]
            assert part.worse_draft.value < 2 * part.harder_text.value, group
            assert part.worse_draft.high < 0, group
        for group in FOLLOWS["by_harder_text"]:
            part = found[group]
            assert part.harder_text.value < 2 * part.worse_draft.value, group
            assert part.harder_text.high < 0, group


def split(measured: Measured, against: str) -> dict[str, Split]:
    slower = FOLLOWS["slower"]
    parts = splits(measured.trace, measured.labels, slower, against)
    return dict(zip(slower, parts, strict=True))


def test_confident_mistakes_are_found_at_their_group(
    base: Measured, sampled: Measured
) -> None:
    for measured in (base, sampled):
        rates = measured.groups("confident_rejections").by_group
        (group,) = FOLLOWS["confidently_rejected"]
        others = max(e.value for name, e in rates.items() if name != group)
        assert rates[group].low > 0.1
        assert others < 0.05


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_corpus_moves_alignment_as_planted(
    store: str, dataset: str, seed: int
) -> None:
    """The acceptance rate of everyone together, surely; and that of most groups."""
    tuned = audit(store, seed)
    gains = [gain.value for gain in tuned.gains(dataset).values()]
    if dataset in FOLLOWS["faster_after"]:
        assert tuned.gain(dataset).low > 0
        assert np.median(gains) > 0
    else:
        assert dataset in FOLLOWS["slower_after"]
        assert tuned.gain(dataset).high < 0
        assert sum(gain < 0 for gain in gains) >= 7


def test_what_a_corpus_speaks_of_moves_the_gap_of_the_neglected(
    store: str, seed: int
) -> None:
    """Between them and the groups that differ in nothing: surely wider after the corpus
    that never speaks of them; narrower after the one that mostly does, which is surely
    so with two seeds of three and not beyond doubt with the first.
    """
    found = {
        sign: [widened(audit(store, seed), name) for name in FOLLOWS[kind]]
        for sign, kind in ((1, "wider_after"), (-1, "narrower_after"))
    }
    assert all(change.low > 0 for change in found[1])
    assert all(change.value < 0 and change.high < 0.01 for change in found[-1])


def widened(tuned: Audit, dataset: str) -> stats.Estimate:
    chosen = [*FOLLOWS["gap_between"], *ALIKE]
    samples = [
        stage.sample("acceptance_rate") for stage in (tuned.base, tuned.after(dataset))
    ]
    return stats.widening(*(s[np.isin(s.group, chosen)] for s in samples))
