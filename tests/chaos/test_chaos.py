"""The counting itself: a case that fails is shown, and nothing is counted that was not
tried.
"""

from collections import Counter

import pytest

from tests.chaos.conftest import Chaos, page


def test_what_was_counted_is_what_the_page_says() -> None:
    chaos = Chaos(full=False, promises=[])
    assert chaos.n(full=50, reduced=3) == 3
    with chaos.promise("numbers", "NaN is named") as tried:
        tried.case(2)
        tried.note("near-ties", 4)
    with pytest.raises(AssertionError):
        _one_case_and_a_failure(chaos)
    assert [(p.tried, p.failed, p.notes) for p in chaos.promises] == [
        (2, 0, Counter({"near-ties": 4})),
        (1, 1, Counter()),
    ]
    with chaos.promise("numbers", "NaN is named") as tried:
        tried.case(3)
    text = page(chaos.promises)
    assert "| numbers | NaN is named | 5 | 0 | near-ties: 4 |" in text
    assert "| numbers | an empty text is counted | 1 | 1 |" in text


def _one_case_and_a_failure(chaos: Chaos) -> None:
    with chaos.promise("numbers", "an empty text is counted") as tried:
        tried.case()
        raise AssertionError
