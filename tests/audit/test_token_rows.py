"""Histograms count every proposal once, and the surest mistakes are real tokens in real
contexts.
"""

import pytest

from specfair.audit import rows, token_rows
from specfair.audit.audit import Audit
from specfair.run.rows import N_EXAMPLES
from specfair.vocabulary import BASE, CONFIDENT
from tests.report_samples import verdict


@pytest.fixture(scope="module")
def tables(measured: Audit) -> dict:
    return rows.of_stage(measured.base, BASE, measured.tokens)


def test_histograms_count_every_proposal_once(measured: Audit, tables: dict) -> None:
    trace = measured.base.trace
    for quantity in ("target_prob", "draft_prob", "difference"):
        mine = [r for r in tables["histograms"] if r.quantity == quantity]
        everyone = sum(sum(r.counts) for r in mine if r.group == "")
        assert everyone == trace.n_tokens == sum(sum(r.counts) for r in mine if r.group)
        accepted = sum(
            sum(r.counts) for r in mine if r.group == "" and r.outcome == "accepted"
        )
        assert accepted == int(trace["accepted"].sum())


def test_mistakes_are_confident_and_come_with_their_text(
    measured: Audit, tables: dict
) -> None:
    assert tables["mistakes"]
    texts = [p.text for p in measured.prompts]
    for row in tables["mistakes"]:
        assert row.draft_prob >= CONFIDENT
        assert (row.token == row.target_token) == (row.outcome == "accepted")
        assert row.before_text.startswith("…") or any(
            row.before_text.startswith(t) for t in texts
        )
    shown = [(r.group, r.outcome, r.token) for r in tables["mistakes"]]
    assert len(shown) == len(set(shown))


def test_examples_are_the_prompts_that_lost_most(measured: Audit) -> None:
    found = list(token_rows.example_rows(measured, verdict(groups=("queer",))))
    changes = [row.value - (row.reference or 0.0) for row in found]
    assert changes == sorted(changes)
    assert len(found) == N_EXAMPLES
    assert {row.text for row in found} <= {
        p.text for p in measured.prompts if p.group == "queer"
    }
    gap = list(
        token_rows.example_rows(
            measured, verdict(gate="gap", groups=("male", "female"))
        )
    )
    assert [row.group for row in gap] == ["male"] * N_EXAMPLES
    assert all(row.reference is None for row in gap)
    assert not list(
        token_rows.example_rows(measured, verdict(groups=("queer",), decision="pass"))
    )
