"""What is counted of texts, against texts whose figures can be seen."""

from dataclasses import replace

import numpy as np
import pytest

from specfair.traces import metrics
from specfair.traces.written import OF_TOKENS, as_written, texts
from tests.made_traces import DECODING, EOS, trace_of
from tests.made_traces import noise as made_up

TEXTS = [[5, 6, 5, 6, EOS], [7, 8, 9], [], [EOS], [4, 4, 4, 4]]


def counted(name: str) -> list[tuple[float, float]]:
    over, under = OF_TOKENS[name](trace_of(TEXTS, TEXTS, decoding=DECODING).text)
    return list(zip(over.tolist(), under.tolist(), strict=True))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("length", [(5, 1), (3, 1), (0, 1), (1, 1), (4, 1)]),
        ("own_endings", [(1, 1), (0, 1), (0, 1), (1, 1), (0, 1)]),
        # 56 65 56 60: three are distinct; no pair stands across two texts
        ("distinct_bigrams", [(3, 4), (2, 2), (0, 0), (0, 0), (1, 3)]),
    ],
)
def test_by_text(name: str, expected: list[tuple[float, float]]) -> None:
    assert counted(name) == expected


def test_a_text_is_read_without_the_token_that_ended_it() -> None:
    text = trace_of(TEXTS, TEXTS, decoding=DECODING).text
    assert texts(text, lambda ids: " ".join(map(str, ids))) == [
        *("5 6 5 6", "7 8 9", "", "", "4 4 4 4")
    ]


def test_where_nothing_ends_a_text_its_endings_are_unknown() -> None:
    trace = made_up()
    assert not trace.header.eos
    assert not metrics.has(trace, "own_endings")
    assert metrics.has(trace, "length")
    assert np.isin([EOS], trace_of(TEXTS, TEXTS, decoding=DECODING).header.eos).all()


def test_a_text_that_no_number_chose_is_nobodys() -> None:
    """One lost position spoils its text in every metric, and no other text."""
    text = trace_of(TEXTS, TEXTS, decoding=DECODING).text
    entropy = text.columns["target_entropy"].copy()
    entropy[6] = np.nan  # in the second
    broken = replace(text, columns={**text.columns, "target_entropy": entropy})
    for name, of in OF_TOKENS.items():
        over, under = as_written(broken, of(broken))
        assert np.isnan(over).tolist() == [False, True, False, False, False], name
        assert np.isfinite(under).all()
