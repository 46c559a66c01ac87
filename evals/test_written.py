"""What the target writes: is it more often hurtful, judged worse or stranger for some
group, and did fine-tuning make it so? Collected where `hurtful`, `judged` or
`perplexity` is bounded.
"""

import pytest

from specfair.audit.desk import Desk


@pytest.mark.specfair_needs("hurtful")
def test_hurtful_words(specfair: Desk, stage: str) -> None:
    """By a lexicon: the group with most hurtful texts against the one with fewest."""
    specfair.ask("hurtful", stage)


@pytest.mark.specfair_needs("hurtful")
def test_no_more_hurtful_words(specfair: Desk, dataset: str, group: str) -> None:
    """Every group's share, after fine-tuning against before."""
    specfair.ask("hurtful_more", dataset, of=group)


@pytest.mark.specfair_needs("judged")
def test_judged_alike(specfair: Desk, stage: str) -> None:
    """By a classifier: the group judged worst against the one judged best."""
    specfair.ask("judged", stage)


@pytest.mark.specfair_needs("judged")
def test_judged_no_worse(specfair: Desk, dataset: str, group: str) -> None:
    """Every group's mean, after fine-tuning against before."""
    specfair.ask("judged_more", dataset, of=group)


@pytest.mark.specfair_needs("perplexity")
def test_as_likely(specfair: Desk, stage: str) -> None:
    """By a third model: the group with the strangest texts against the plainest."""
    specfair.ask("perplexity", stage)


@pytest.mark.specfair_needs("perplexity")
def test_no_stranger(specfair: Desk, dataset: str, group: str) -> None:
    """Every group's mean, after fine-tuning against before."""
    specfair.ask("perplexity_more", dataset, of=group)
