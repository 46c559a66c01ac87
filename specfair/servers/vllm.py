"""vLLM from 0.29 on: `/v1/completions`, and what stands under `metrics` of the last
event.

Accepted drafts are counted before the text is cut, and the bonus token never is. A step
without a draft is in no list. With `detailed` every step is told apart; with `summary`
only a histogram is told.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from specfair.decoding import Decoding
from specfair.servers.adapter import Adapter, Asked
from specfair.servers.client import Client, Event
from specfair.servers.reply import BrokenError, Reply, Rounds, hold, spread


def _body(asked: Asked, decoding: Decoding) -> dict[str, Any]:
    """Every setting is sent: a model's generation config would fill in others."""
    return {
        "model": asked.model,
        "prompt": asked.text,
        "max_tokens": decoding.max_new_tokens,
        "temperature": decoding.temperature,
        "top_k": decoding.top_k or -1,
        "top_p": decoding.top_p,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "seed": asked.seed,
        "ignore_eos": decoding.ignore_eos,
        "cache_salt": asked.salt,
        "return_token_ids": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def _read(events: Sequence[Event]) -> Reply:
    tokens: list[int] = []
    times: list[float] = []
    told: dict[str, Any] = {}
    ended = False
    for seconds, event in events:
        for choice in event["choices"]:
            tokens += choice.get("token_ids") or []
            ended |= choice.get("finish_reason") is not None
            times.append(seconds)
        told |= {name: event[name] for name in ("usage", "metrics") if event.get(name)}
    if not ended or "usage" not in told:
        raise ValueError("its end is missing")
    return Reply(
        n_tokens=told["usage"]["completion_tokens"],
        tokens=tuple(tokens),
        seconds=(times[0], times[-1]),
        reported=(told.get("metrics") or {}).get("speculative_decoding") or {},
    )


def _rounds(reply: Reply) -> Rounds:
    told = reply.reported
    histogram = spread(told.get("acceptance_histogram") or ())
    steps = tuple(told.get("per_step_accepted") or ())
    drafted = tuple(told.get("per_step_drafted") or ())
    accepted = steps or histogram
    n_drafted = told.get("num_draft_tokens", 0)
    if steps and histogram and tuple(sorted(steps)) != histogram:
        raise BrokenError("a histogram that is not that of its steps")
    if sum(accepted) > n_drafted:
        raise BrokenError(f"{sum(accepted)} accepted of {n_drafted} drafted")
    hold(told, num_spec_steps=len(accepted), num_accepted_draft_tokens=sum(accepted))
    if drafted:
        hold(told, num_draft_tokens=sum(drafted))
    width = told.get("num_spec_tokens") or 0
    return Rounds(accepted, drafted, in_order=bool(steps), width=width)


def _facts(client: Client) -> Mapping[str, Any]:
    return {"version": client.facts("/version").get("version")}


VLLM = Adapter(
    path="/v1/completions",
    body=_body,
    read=_read,
    rounds=_rounds,
    facts=_facts,
    owner="vllm",
    lacking="start it with --speculative-config and with "
    "--per-request-spec-decode-metrics detailed (vLLM 0.29 or later)",
)
