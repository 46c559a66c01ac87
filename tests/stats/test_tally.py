"""Labels, codes and sums of samples."""

import numpy as np

from specfair.stats.tally import codes_of, renumbered, sums_by
from tests.stats.made import made


def test_codes_are_in_order_of_first_appearance() -> None:
    assert codes_of(np.array(["b", "a", "b", "c"])).tolist() == [0, 1, 0, 2]
    assert renumbered(np.array([7, 3, 7, 9])).tolist() == [0, 1, 0, 2]


def test_sums_by_code() -> None:
    columns = np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]])
    found = sums_by(np.array([1, 0, 1]), columns)
    assert found.tolist() == [[2.0, 20.0], [5.0, 50.0]]


def test_what_follows_from_labels_is_made_once_for_all_counts() -> None:
    sample = made((1, 2, "a", "x"), (1, 2, "b", "y"))
    other = sample.with_counts(np.zeros(2), np.ones(2))
    assert sample.once("asked", lambda: "first") == "first"
    assert other.once("asked", lambda: "second") == "first"
    assert sample.of("a").once("asked", lambda: "third") == "third"
    assert sample.within("prompts").once("asked", lambda: "fourth") == "fourth"


def test_texts_of_a_prompt_are_summed() -> None:
    """In the order of the prompts, and nothing is done where each has one."""
    sample = made((1, 2, "a", "x"), (3, 4, "b", "y"))
    both = sample[np.array([0, 1, 0, 1, 1])].by_prompt()
    assert both.numerator.tolist() == [2, 9]
    assert both.denominator.tolist() == [4, 12]
    assert both.cluster.tolist() == ["x", "y"]
    assert sample.by_prompt() is sample
