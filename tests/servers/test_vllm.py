"""vLLM's figures in the form of its definitions, written by hand with every trap that
is known of them. `make test-vllm` holds the adapter to a server.
"""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from specfair.decoding import Decoding
from specfair.servers.adapter import Asked
from specfair.servers.reply import BrokenError, row
from specfair.servers.vllm import VLLM

ASKED = Asked("the", 7, "org/model", "salt")


def figures(accepted: list[int], drafted: list[int], k: int = 3) -> dict[str, Any]:
    times = Counter(accepted)
    steps = len(accepted)
    return {
        "mean_acceptance_length": 1 + sum(accepted) / max(steps, 1),
        "draft_acceptance_rate": sum(accepted) / max(sum(drafted), 1),
        "acceptance_histogram": [times[j] for j in range(k + 1)],
        "num_spec_steps": steps,
        "num_accepted_draft_tokens": sum(accepted),
        "num_draft_tokens": sum(drafted),
        "num_spec_tokens": k,
        "per_step_accepted": accepted,
        "per_step_drafted": drafted,
    }


def stream(n_tokens: int, told: dict[str, Any] | None) -> list[tuple[float, Any]]:
    """Two chunks, the reason why it ended, and the usage chunk with the figures."""
    ids = list(range(100, 100 + n_tokens))
    choices: list[dict[str, Any]] = [
        {"index": 0, "text": "a", "token_ids": ids[:1], "finish_reason": None},
        {"index": 0, "text": "b", "token_ids": ids[1:], "finish_reason": "stop"},
    ]
    events: list[dict[str, Any]] = [{"choices": [c], "usage": None} for c in choices]
    metrics = {"speculative_decoding": told} if told is not None else None
    usage = {"prompt_tokens": 3, "completion_tokens": n_tokens}
    events.append({"choices": [], "usage": usage, "metrics": metrics})
    return [(0.1 * (i + 1), event) for i, event in enumerate(events)]


def counts(n_tokens: int, told: dict[str, Any] | None, budget: int = 20) -> list[float]:
    reply = VLLM.read(stream(n_tokens, told))
    return [*np.nan_to_num(row(reply, VLLM.rounds(reply), budget), nan=-1)]


def test_accepted_past_the_end_is_cut() -> None:
    """An end-of-text token in a draft: the step reports three accepted, of which one
    and the end itself are in the text.
    """
    assert counts(6, figures([2, 3], [3, 3])) == [5, 2, 4, 4, 3]


def test_drafts_beyond_the_budget_are_not_counted() -> None:
    """Two steps fill the budget of seven; the second drafts three where one fits."""
    assert counts(7, figures([3, 1], [3, 3]), budget=7) == [6, 2, 4, 4, 4]


def test_a_full_budget_may_end_with_a_step_without_a_draft() -> None:
    """It is in no list where every scheduled request was at its end."""
    assert counts(6, figures([3], [3]), budget=6) == [5, 2, 3, 3, 3]


def test_steps_without_a_draft_leave_acceptance_open() -> None:
    """N-gram drafts without a match: steps and their tokens are known, not which drafts
    reached beyond the end.
    """
    assert counts(9, figures([1, 2], [1, 3])) == [8, 5, -1, -1, 3]
    assert counts(4, figures([], [])) == [3, 3, -1, -1, 0]


def test_a_summary_tells_steps_only() -> None:
    told = figures([2, 3], [3, 3])
    del told["per_step_accepted"], told["per_step_drafted"]
    assert counts(6, told) == [5, 2, -1, -1, 3]


def test_without_the_flag_nothing_is_told() -> None:
    assert VLLM.read(stream(5, None)).reported == {}
    assert "--per-request-spec-decode-metrics detailed" in VLLM.lacking


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"num_spec_steps": 3}, "num_spec_steps is 3, and 2 by its parts"),
        ({"num_accepted_draft_tokens": 9}, "num_accepted_draft_tokens is 9"),
        ({"num_draft_tokens": 4}, "5 accepted of 4 drafted"),
        ({"num_draft_tokens": 7}, "num_draft_tokens is 7, and 6"),
        ({"acceptance_histogram": [0, 0, 2, 0]}, "not that of its steps"),
        ({"per_step_drafted": [3, 3, 3]}, "num_draft_tokens is 6"),
        ({"per_step_accepted": [3, 2]}, ""),
    ],
)
def test_figures_that_contradict_each_other(wrong: dict[str, Any], said: str) -> None:
    """The last one does not: another order, another count, both possible."""
    told = figures([2, 3], [3, 3]) | wrong
    if not said:
        assert counts(6, told) == [5, 2, 3, 3, 3]
        return
    with pytest.raises(BrokenError, match=said):
        counts(6, told)


def test_a_stream_without_its_usage_is_not_whole() -> None:
    with pytest.raises(ValueError, match="its end is missing"):
        VLLM.read(stream(5, None)[:-1])


def test_what_is_sent_leaves_nothing_to_the_server_s_own_settings() -> None:
    body = VLLM.body(ASKED, Decoding(9, temperature=0.5))
    assert (body["model"], body["prompt"], body["max_tokens"]) == (
        "org/model",
        "the",
        9,
    )
    assert (body["top_k"], body["top_p"], body["min_p"]) == (-1, 1.0, 0.0)
    assert (body["cache_salt"], body["seed"]) == ("salt", 7)
