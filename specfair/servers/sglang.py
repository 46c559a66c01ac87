"""SGLang: `/generate`, and the `spec_` figures of `meta_info` under old and new names.

Correct drafts are counted before the text is cut, the bonus token never. The number of
proposed drafts is a product, not a count, so nothing is made of it. A histogram tells
rounds and acceptance; versions before it tell sums. Token ids come as all so far, or as
those that are new.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from specfair.decoding import Decoding
from specfair.servers.adapter import Adapter, Asked
from specfair.servers.client import Client, Event
from specfair.servers.reply import BrokenError, Reply, Rounds, hold, spread

_NAMES = {
    "rounds": ("spec_verify_ct",),
    "accepted": ("spec_num_correct_drafts", "spec_accept_token_num"),
    "histogram": ("spec_correct_drafts_histogram", "spec_accept_histogram"),
}


def _body(asked: Asked, decoding: Decoding) -> dict[str, Any]:
    return {
        "text": asked.text,
        "sampling_params": {
            "max_new_tokens": decoding.max_new_tokens,
            "temperature": decoding.temperature,
            "top_k": decoding.top_k or -1,
            "top_p": decoding.top_p,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
            "sampling_seed": asked.seed,
            "ignore_eos": decoding.ignore_eos,
        },
        "extra_key": asked.salt,
        "stream": True,
    }


def _read(events: Sequence[Event]) -> Reply:
    new: list[int] = []
    times = []
    told: Mapping[str, Any] = {}
    for seconds, event in events:
        told, last = event["meta_info"], event.get("output_ids") or []
        new += last
        if told["completion_tokens"]:
            times.append(seconds)
    if not told or told.get("finish_reason") is None:
        raise ValueError("its end is missing")
    n_tokens = told["completion_tokens"]
    return Reply(
        n_tokens=n_tokens,
        tokens=tuple(last if len(last) == n_tokens else new),
        seconds=(times[0], times[-1]) if times else (seconds, seconds),
        reported={name: told[name] for name in told if name.startswith("spec_")},
    )


def _rounds(reply: Reply) -> Rounds:
    told = {
        what: reply.reported[name]
        for what, names in _NAMES.items()
        for name in names
        if reply.reported.get(name) is not None
    }
    if told.get("histogram"):
        accepted = spread(told["histogram"])
        hold(told, rounds=len(accepted), accepted=sum(accepted))
        return Rounds(accepted, in_order=False, width=len(told["histogram"]) - 1)
    # all that is known is how many rounds there were, and what they accepted together
    n_rounds = told.get("rounds", 0)
    total = told.get("accepted", max(reply.n_tokens - 1, 0) - n_rounds)
    if n_rounds == 0 and total <= 0:
        return Rounds(())
    if n_rounds == 0 or total < 0:
        raise BrokenError(f"{n_rounds} rounds for {reply.n_tokens} tokens")
    return Rounds((*(0,) * (n_rounds - 1), total), in_order=False)


def _facts(client: Client) -> Mapping[str, Any]:
    told = client.facts("/server_info") or client.facts("/get_server_info")
    return {
        name: told[name]
        for name in sorted(told)
        if name.startswith("speculative_") or name in ("version", "dtype", "tp_size")
    }


SGLANG = Adapter(
    path="/generate",
    body=_body,
    read=_read,
    rounds=_rounds,
    facts=_facts,
    owner="sglang",
    lacking="start it with --speculative-algorithm",
)
