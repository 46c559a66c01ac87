"""SGLang's figures in the form of its definitions, written by hand, old names and new
ones; no server was asked.
"""

from typing import Any

import numpy as np
import pytest

from specfair.decoding import Decoding
from specfair.servers.adapter import Asked
from specfair.servers.reply import BrokenError, row
from specfair.servers.sglang import SGLANG

NEW = {
    "spec_verify_ct": 2,
    "spec_num_correct_drafts": 5,
    "spec_num_proposed_drafts": 8,  # rounds times width, whatever was drafted
    "spec_accept_rate": 0.625,
    "spec_accept_length": 3.0,  # the prompt pass's token among them
    "spec_correct_drafts_histogram": [0, 0, 1, 1, 0],
}
OLD = {
    "spec_verify_ct": 2,
    "spec_accept_token_num": 5,
    "spec_draft_token_num": 8,
    "spec_accept_histogram": [0, 0, 1, 1, 0],
}


def stream(
    n_tokens: int, told: dict[str, Any], *, new_only: bool = False
) -> list[tuple[float, Any]]:
    ids = list(range(100, 100 + n_tokens))
    events: list[dict[str, Any]] = []
    for start, end in ((0, 1), (1, 3), (3, n_tokens)):
        last = end == n_tokens
        meta: dict[str, Any] = {
            "completion_tokens": end,
            "finish_reason": {"type": "stop"} if last else None,
        }
        sent = ids[start:end] if new_only else ids[:end]
        events.append({"output_ids": sent, "meta_info": {**meta, **told}})
    return [(0.1 * (i + 1), event) for i, event in enumerate(events)]


def counts(n_tokens: int, told: dict[str, Any]) -> list[float]:
    reply = SGLANG.read(stream(n_tokens, told))
    return [*np.nan_to_num(row(reply, SGLANG.rounds(reply), 20), nan=-1)]


@pytest.mark.parametrize("told", [NEW, OLD])
def test_correct_drafts_past_the_end_are_cut(told: dict[str, Any]) -> None:
    """Two rounds write up to seven tokens; the text has five after the first."""
    assert counts(6, told) == [5, 2, -1, -1, 3]
    assert counts(8, told) == [7, 2, -1, -1, 5]


def test_acceptance_is_not_made_of_a_product() -> None:
    """What it calls proposed is not a count, so drafted and tested stay unknown."""
    assert counts(8, NEW | {"spec_num_proposed_drafts": 3}) == counts(8, NEW)


def test_before_the_histogram_there_were_sums() -> None:
    sums = {"spec_verify_ct": 2, "spec_accept_token_num": 5}
    assert counts(8, sums) == [7, 2, -1, -1, 5]
    assert counts(8, {"spec_verify_ct": 3}) == [7, 3, -1, -1, 4]


@pytest.mark.parametrize("new_only", [False, True])
def test_token_ids_come_in_two_ways(new_only: bool) -> None:
    reply = SGLANG.read(stream(6, NEW, new_only=new_only))
    assert reply.tokens == tuple(range(100, 106))
    assert reply.seconds == pytest.approx((0.1, 0.3))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"spec_verify_ct": 3}, "rounds is 3, and 2 by its parts"),
        ({"spec_num_correct_drafts": 4}, "accepted is 4, and 5"),
        ({"spec_correct_drafts_histogram": None, "spec_verify_ct": 9}, ""),
    ],
)
def test_figures_that_contradict_each_other(wrong: dict[str, Any], said: str) -> None:
    if not said:  # nine rounds and five accepted write fourteen tokens, not eight
        said = "7 tokens more than the text has"
    with pytest.raises(BrokenError, match=said):
        counts(8, NEW | wrong)


def test_a_server_that_does_not_draft_tells_nothing() -> None:
    assert SGLANG.read(stream(6, {})).reported == {}


def test_a_stream_that_breaks_off_is_not_whole() -> None:
    with pytest.raises(ValueError, match="its end is missing"):
        SGLANG.read(stream(6, NEW)[:-1])


def test_what_is_sent_keeps_the_prefix_cache_out() -> None:
    asked = Asked("the", 7, "m", "salt")
    body = SGLANG.body(asked, Decoding(9, temperature=0.5, top_k=4))
    assert body["extra_key"] == "salt"
    assert body["sampling_params"]["top_k"] == 4
