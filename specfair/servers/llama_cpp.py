"""llama.cpp's llama-server: `/completion`, token by token with its timings.

`draft_n` and `draft_n_accepted` are sums so far; they rise with a round's first token,
which tells every round apart. They are absent as long as nothing was drafted. An
end-of-text token that is the last one drafted counts as accepted; inside a draft it
counts as the target's own.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from specfair.decoding import Decoding
from specfair.servers.adapter import Adapter, Asked
from specfair.servers.client import Client, Event
from specfair.servers.reply import BrokenError, Reply, Rounds

_COUNTED = ("draft_n", "draft_n_accepted")


def _body(asked: Asked, decoding: Decoding) -> dict[str, Any]:
    """Every setting is sent, since the server's own defaults are others."""
    return {
        "prompt": asked.text,
        "n_predict": decoding.max_new_tokens,
        "samplers": ["temperature", "top_k", "top_p"],
        "temperature": decoding.temperature,
        "top_k": decoding.top_k,
        "top_p": decoding.top_p,
        "seed": asked.seed,
        "ignore_eos": decoding.ignore_eos,
        "cache_prompt": False,
        "return_tokens": True,
        "stream": True,
        "timings_per_token": True,
    }


def _read(events: Sequence[Event]) -> Reply:
    tokens: list[int] = []
    counted: dict[str, list[int]] = {name: [] for name in _COUNTED}
    first = None
    for seconds, event in events:
        new, timings = event["tokens"], event["timings"]
        first = seconds if first is None and new else first
        if not event["stop"]:
            tokens += new
            for name in _COUNTED:
                counted[name] += [timings.get(name, 0)] * len(new)
    if not events or not event["stop"]:
        raise ValueError("its end is missing")
    sums = {name: timings[name] for name in _COUNTED if name in timings}
    return Reply(
        n_tokens=timings["predicted_n"],
        tokens=tuple(tokens),
        seconds=(seconds if first is None else first, seconds),
        reported={"sums": sums, **counted} if sums else {},
    )


def _rounds(reply: Reply) -> Rounds:
    """The first token is the prompt pass's. Tokens beyond a round's accepted ones and
    the target's own had no draft.
    """
    sums = [reply.reported.get(name, [0] * reply.n_tokens) for name in _COUNTED]
    before, left = (0, 0), 0
    drafted, accepted = [], []
    for now in list(zip(*sums, strict=True))[1:]:
        new_drafted, new_accepted = now[0] - before[0], now[1] - before[1]
        if new_drafted or new_accepted or not left:
            drafted.append(new_drafted)
            accepted.append(new_accepted)
            left = new_accepted + 1
        before, left = now, left - 1
    said = reply.reported.get("sums")
    if said and before != tuple(said.get(name, 0) for name in _COUNTED):
        raise BrokenError(f"sums {said} that are not those of its tokens, {before}")
    return Rounds(tuple(accepted), tuple(drafted))


def _facts(client: Client) -> Mapping[str, Any]:
    props = client.facts("/props")
    return {name: props.get(name) for name in ("build_info", "total_slots", "n_ctx")}


LLAMA_CPP = Adapter(
    path="/completion",
    body=_body,
    read=_read,
    rounds=_rounds,
    facts=_facts,
    owner="llamacpp",
    lacking="start it with a draft (--model-draft FILE, or --spec-type)",
)
