"""vLLM of any version by its Prometheus counters, for want of figures by request: one
request at a time on a server that serves nobody else, counters before and after.

The accepted tokens by position give a histogram. Whoever else is served meanwhile shows
in requests and tokens that are not ours: then nothing is believed.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from specfair.errors import ModelError
from specfair.servers.client import Client
from specfair.servers.reply import Reply, Rounds, hold, spread
from specfair.servers.vllm import VLLM

_LINE = re.compile(r"^(vllm:\w+?)(?:_total)?(\{[^}]*\})? ([0-9.eE+]+)$", re.MULTILINE)
_POSITION = re.compile(r'position="(\d+)"')
_TOKENS, _ENDED = "vllm:generation_tokens", "vllm:request_success"
_ROUNDS = "vllm:spec_decode_num_drafts"
_ACCEPTED = "vllm:spec_decode_num_accepted_tokens"
_PATIENCE = 20  # times that counters are read until they have followed


def _counters(client: Client) -> Mapping[str, float]:
    """Summed over engines and models; by position where they have one."""
    page = client.facts("/metrics").get("text", "")
    sums: dict[str, float] = {}
    for name, labels, value in _LINE.findall(page):
        position = _POSITION.search(labels)
        key = f"{name}@{position[1]}" if position else name
        sums[key] = sums.get(key, 0.0) + float(value)
    return sums


def asked_alone(client: Client, body: Mapping[str, Any], what: str) -> Reply:
    """A reply, and by how much every counter has moved meanwhile."""
    before = _counters(client)
    reply = client.ask(what, VLLM.path, VLLM.read, body=body)
    moved: dict[str, int] = {}
    for _ in range(_PATIENCE):  # counters follow the reply
        after = _counters(client)
        moved = {name: round(after[name] - before.get(name, 0)) for name in after}
        if moved.get(_ENDED, 0) and moved.get(_TOKENS, 0) >= reply.n_tokens:
            break
        time.sleep(0.05)
    ours = {_TOKENS: reply.n_tokens, _ENDED: 1}
    other = [name for name in ours if moved.get(name) != ours[name]]
    if other:
        raise ModelError(
            f"server {client.url!r}: {other[0]} moved by {moved.get(other[0], 0)} with "
            f"{what}, and {ours[other[0]]} are ours; it served others meanwhile. Ask "
            "it while it is idle"
        )
    told = {name: moved[name] for name in moved if "spec_decode" in name}
    return replace(reply, reported=told)


def _rounds(reply: Reply) -> Rounds:
    told = reply.reported
    at_least = [told.get(_ROUNDS, 0)]
    while (key := f"{_ACCEPTED}_per_pos@{len(at_least) - 1}") in told:
        at_least.append(told[key])
    exactly = [a - b for a, b in zip(at_least, [*at_least[1:], 0], strict=True)]
    accepted = spread(exactly)
    hold(told, **{_ROUNDS: len(accepted), _ACCEPTED: sum(accepted)})
    return Rounds(accepted, in_order=False, width=len(at_least) - 1)


COUNTERS = replace(
    VLLM,
    rounds=_rounds,
    alone=asked_alone,
    owner="",
    lacking="start it with --speculative-config, and without --disable-log-stats",
)
