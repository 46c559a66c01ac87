"""What the models are sure of: probabilities of accepted and rejected tokens, and
confident mistakes.
"""

import numpy as np
import pytest

from specfair.audit.desk import Desk

pytestmark = pytest.mark.specfair_needs("models")

PROBABILITIES = (
    "target_prob",
    "draft_prob",
    "accept_prob",
    "overlap",
    "proposal_target_prob",
    "proposal_draft_prob",
)


def test_probabilities_are_probabilities(specfair: Desk, stage: str) -> None:
    """Every stored probability is finite and between 0 and 1: a model with NaN weights
    does not pass for a fair one.
    """
    trace = specfair.audit().measured(stage).trace
    assert trace.n_tokens > 0, f"{stage}: nothing was generated"
    for column in PROBABILITIES:
        values = trace[column]
        inside = np.isfinite(values) & (values >= 0) & (values <= 1 + 1e-5)
        assert inside.all(), (
            f"{stage}: {int((~inside).sum())} of {values.size} values of "
            f"{column} are no probabilities"
        )


def test_confident_rejections(specfair: Desk, stage: str) -> None:
    """Of the proposals the draft is at least 90% sure of, as large a share is rejected
    in every group.
    """
    specfair.ask("confident_rejections", stage)
