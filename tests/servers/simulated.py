"""A server that speaks as llama.cpp's does and misbehaves as it is told to: asyncio, in
a thread of the tests' own process.

What it writes for a prompt follows from the prompt alone, so that tests know it too.
"""

import asyncio
import json
import random
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

N_MAX = 5
FAULTS = ("silence", "status 500", "busy", "truncated", "no field", "no end", "reset")

Round = tuple[int, int]  # drafted, accepted


def rounds_of(text: str, budget: int) -> list[Round]:
    """Rounds that write at most so many tokens after the first."""
    drawn, rounds, left = random.Random(text), [], budget - 1
    ends = drawn.randint(1, budget - 1)
    while left > budget - 1 - ends:
        drafted = min(N_MAX, left - 1)
        accepted = sum(1 for _ in range(drafted) if drawn.random() < 0.6)
        rounds.append((drafted, accepted))
        left -= accepted + 1
    return rounds


def events_of(rounds: list[Round]) -> list[dict[str, Any]]:
    """The stream in which llama.cpp tells of these rounds."""
    events: list[dict[str, Any]] = []
    sums = [0, 0]

    def tell(tokens: list[int], **more: Any) -> None:
        timings: dict[str, Any] = {"predicted_n": len(events) + bool(tokens)}
        if sums[0]:
            timings |= {"draft_n": sums[0], "draft_n_accepted": sums[1]}
        known = {"tokens": tokens, "stop": False, "timings": timings}
        events.append(known | {"tokens_evaluated": 3} | more)

    tell([7])
    for drafted, accepted in rounds:
        sums = [sums[0] + drafted, sums[1] + accepted]
        for i in range(accepted + 1):
            tell([10 + i])
    tell([], stop=True)
    events[-1]["timings"]["predicted_n"] = len(events) - 1
    return events


@dataclass
class Simulated:
    """What it is told to do, and what it was asked."""

    # what goes wrong with the n-th request for a prompt; "" where nothing does
    fault: Callable[[str, int], str] = lambda *_: ""
    # the rounds for a prompt, given how many requests came before
    rounds: Callable[[str, int, int], list[Round]] = lambda text, budget, _: rounds_of(
        text, budget
    )
    owner: str = "llamacpp"
    asked: Counter[str] = field(default_factory=Counter)
    counted: Counter[str] = field(default_factory=Counter)
    stranger: int = 0  # requests of others between two looks at the counters
    at_once: int = 0
    most_at_once: int = 0
    headers: list[str] = field(default_factory=list)

    @contextmanager
    def serving(self, secure: ssl.SSLContext | None = None) -> Iterator[str]:
        """Its address, for as long as the block takes."""
        loop = asyncio.new_event_loop()
        server = loop.run_until_complete(
            asyncio.start_server(self._talk, "127.0.0.1", 0, ssl=secure)
        )
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        try:
            kind = "https" if secure else "http"
            yield f"{kind}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            for task in asyncio.all_tasks(loop):
                task.cancel()
            server.close()
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()

    async def _talk(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.headers.append(head)
        length = next(
            (int(x.split(":")[1]) for x in head.split("\r\n") if "-Length" in x), 0
        )
        body = json.loads(await reader.readexactly(length)) if length else {}
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if await self._answer(head.split()[1], body, writer) == "silence":
                await reader.read()  # until the client gives up
            await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.at_once -= 1
            writer.close()

    def _count(self, writer: asyncio.StreamWriter) -> None:
        """vLLM's counters, and a stranger's request where there is one."""
        self.counted["request_success_total"] += self.stranger
        lines = (f"vllm:{name} {n}" for name, n in self.counted.items())
        page = "\n".join(["# HELP vllm:x y", *lines]).encode()
        kind = f"Content-Type: text/plain\r\nContent-Length: {len(page)}\r\n"
        writer.write(f"HTTP/1.1 200 OK\r\n{kind}\r\n".encode() + page)

    def _complete(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        """As vLLM before it told of requests."""
        rounds = rounds_of(body["prompt"], body["max_tokens"])
        ids = [t for event in events_of(rounds) for t in event["tokens"]]
        self.counted += _rises(rounds)
        self.counted["generation_tokens_total"] += len(ids)
        self.counted["request_success_total"] += 1
        choice = {"index": 0, "token_ids": ids, "finish_reason": "stop"}
        usage = {"completion_tokens": len(ids)}
        _send(writer, {"choices": [choice], "usage": usage})

    async def _answer(
        self, path: str, body: dict[str, Any], writer: asyncio.StreamWriter
    ) -> str:
        if path == "/props":
            _send(writer, {"build_info": "simulated"})
        elif path == "/v1/models":
            _send(writer, {"data": [{"id": "simulated", "owned_by": self.owner}]})
        elif path == "/metrics":
            self._count(writer)
        elif path == "/v1/completions":
            self._complete(body, writer)
        elif path == "/completion":
            text = body["prompt"]
            n_before, nth = self.asked.total(), self.asked[text]
            self.asked[text] += 1
            rounds = self.rounds(text, body["n_predict"], n_before)
            if (fault := self.fault(text, nth)) == "echo":
                key = self.headers[-1].partition("Bearer ")[2].split()[0]
                said = {"error": {"message": f"wrong key {key}"}}
                _send(writer, said, "401 Unauthorized")
            elif fault != "silence":
                await _stream(writer, events_of(rounds), fault)
            return fault
        else:
            _send(writer, {"error": {"message": "nowhere"}}, "404 Not Found")
        return ""


def _rises(rounds: list[Round]) -> Counter[str]:
    """How vLLM's counters move with these rounds."""
    told = Counter({"spec_decode_num_drafts_total": len(rounds)})
    for drafted, accepted in rounds:
        told["spec_decode_num_draft_tokens_total"] += drafted
        told["spec_decode_num_accepted_tokens_total"] += accepted
        for place in range(drafted):
            name = (
                f'spec_decode_num_accepted_tokens_per_pos_total{{position="{place}"}}'
            )
            told[name] += place < accepted
    return told


def _send(
    writer: asyncio.StreamWriter, said: object, status: str = "200 OK", more: str = ""
) -> None:
    data = json.dumps(said).encode()
    kind = f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n{more}"
    writer.write(f"HTTP/1.1 {status}\r\n{kind}\r\n".encode() + data)


async def _stream(
    writer: asyncio.StreamWriter, events: list[dict[str, Any]], fault: str
) -> None:
    if fault == "status 500":
        return _send(writer, {"error": {"message": "lost"}}, "500 Server Error")
    if fault == "busy":
        return _send(writer, {}, "429 Too Many Requests", "Retry-After: 0\r\n")
    if fault == "no field":
        del events[len(events) // 2]["tokens"]
    if fault == "no end":
        events = events[:-1]
    if fault == "impossible":
        events[-1]["timings"] |= {"draft_n": 1, "draft_n_accepted": 2}
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    lines = [f"data: {json.dumps(event)}\n\n".encode() for event in events]
    half = len(lines) // 2
    for i, line in enumerate(lines):
        if i == half and fault == "reset":
            await writer.drain()
            return writer.transport.abort()
        if i == half and fault == "truncated":
            writer.write(line[:20])
            return None
        if fault == "slow":
            await writer.drain()
            await asyncio.sleep(0.005)
        writer.write(line)
    return None
