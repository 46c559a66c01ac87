"""A stage of which a server tells: prompts are sent in an order that favours no group,
replies are kept as they come, counts follow from what is kept.

Knows the store, the order and what makes replies doubtful. It opens no model; what the
replies of a kind of server mean is known in `servers`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from specfair.audit.lending import Say
from specfair.audit.values import keep, reader, remembered
from specfair.config import Settings
from specfair.decoding import Lookahead
from specfair.errors import ModelError, UsageError
from specfair.models.identity import Identity
from specfair.servers.adapter import About, Adapter, Asked
from specfair.servers.client import Client
from specfair.servers.llama_cpp import LLAMA_CPP
from specfair.servers.reply import UNKNOWN, BrokenError, Reply, row, tally
from specfair.store import Store, digest
from specfair.texts.prompts import Prompt, PromptSet
from specfair.texts.prompts.sets import shuffled
from specfair.traces.metrics import Sums
from specfair.traces.tally import RATES, Tally
from specfair.traces.trace import (
    READING,
    TEXT,
    Header,
    Reading,
    Text,
    Trace,
    offsets_of,
)

ADAPTERS: Mapping[str, Adapter] = {"llama.cpp": LLAMA_CPP}
PORTION = 256  # replies between two writes to disk
# what follows from every reply first: the one figure that all servers tell alike
_COUNTED = ("mean_acceptance_length", "acceptance_rate", "draft_acceptance_rate")


@dataclass(frozen=True, slots=True)
class Served:
    """What a server told of the prompts."""

    about: About
    place: str
    trace: Trace  # its tokens; probabilities are unknown
    tally: Tally
    replies: tuple[Reply, ...]
    lookahead: Lookahead  # as far as a round was seen to draft
    problem: str = ""  # why its figures cannot be relied on

    @property
    def identity(self) -> Identity:
        """As if it were a pair: its own word for the target."""
        said = f"{self.about.engine} at {self.place}"
        told = self.about.fingerprint
        return Identity(
            target_name=self.about.name,
            draft_name=said,
            target_fingerprint=told,
            draft_fingerprint=told,
            tokenizer_fingerprint="",
            truncate=False,
            eos=(),
            n_vocab=0,
            context=None,
            dtype="",
            device="server",
        )

    @property
    def sums(self) -> Mapping[str, Sums]:
        """The metrics that are known, tokens for each verification first."""
        found = {}
        for name in _COUNTED:
            over, under = (getattr(self.tally, part) for part in RATES[name])
            if np.isfinite(under[np.isfinite(self.tally.n_rounds)]).all():
                found[name] = over, under
        return found

    @property
    def notes(self) -> tuple[str, ...]:
        """Which figures are exact."""
        said = (
            f"{', '.join(self.sums)}: as {self.about.engine} counts for each request, "
            "from the second token on and not beyond a text's end"
        )
        missing = [name for name in _COUNTED if name not in self.sums]
        if not missing:
            return (said,)
        no = f"{', '.join(missing)}: not judged, since it does not follow from replies"
        return said, no


def served(settings: Settings, store: Store, prompts: PromptSet, say: Say) -> Served:
    """Ask the server for what is not kept of its replies yet, and count."""
    client = Client(settings.server, settings.timeout, settings.retries, say)
    about = _about(settings, store, client)
    adapter = ADAPTERS[about.engine]
    line = _Line(client, adapter, settings)
    requests = {p: line.request(p, about) for p in interleaved(prompts, settings.seed)}
    key = {"server": about.fingerprint, **_where(settings)}
    kept = _collected(store, key, requests, line)
    replies = tuple(kept[digest(requests[p])] for p in prompts)
    if not any(reply.reported for reply in replies):
        raise ModelError(
            f"server {settings.server!r} tells nothing of drafts in {len(replies):,} "
            f"replies. Let it: {adapter.lacking}."
        )
    return _counted(settings, about, prompts, replies)


def interleaved(prompts: Iterable[Prompt], seed: int) -> list[Prompt]:
    """Groups take turns, each with its own prompts in a shuffled order: who is asked
    when tells nothing of the group.
    """
    turns: Counter[str] = Counter()
    order = []
    for prompt in sorted(prompts, key=lambda p: shuffled(seed, p.id)):
        turns[prompt.group] += 1
        turn = turns[prompt.group]
        order.append((turn, shuffled(seed, str(turn), prompt.group), prompt))
    return [prompt for *_, prompt in sorted(order, key=lambda entry: entry[:2])]


def _where(settings: Settings) -> dict[str, str]:
    return {"url": settings.server, "run": settings.server_run}


def _about(settings: Settings, store: Store, client: Client) -> About:
    """What the server says of itself, or said before where it answers nobody now."""
    kinds = ADAPTERS
    if settings.engine in ADAPTERS:
        kinds = {settings.engine: ADAPTERS[settings.engine]}
    found: list[About] = []

    def now(_: About | None) -> About:
        found.append(_identified(kinds, client))
        return found[0]

    def before() -> About:
        raise trouble

    try:
        return store.update(
            "servers",
            _where(settings),
            change=now,
            read=reader(lambda plain: About(**plain)),
            write=keep,
        )
    except ModelError as error:
        trouble = error
        kept = _where(settings)
        return remembered(
            store, "servers", kept, make=before, read=lambda plain: About(**plain)
        )


def _identified(kinds: Mapping[str, Adapter], client: Client) -> About:
    for adapter in kinds.values():
        about = adapter.about(client)
        if about is not None:
            return about
    raise UsageError(
        f"server {client.url!r} is none of {', '.join(kinds)}, as far as it says. Name "
        "its kind with --engine (--specfair-engine)."
    )


@dataclass(frozen=True, slots=True)
class _Line:
    """To a server."""

    client: Client
    adapter: Adapter
    settings: Settings

    def request(self, prompt: Prompt, about: About) -> dict[str, Any]:
        """What is sent: all that a reply depends on."""
        salt = shuffled(self.settings.seed, prompt.id)
        asked = Asked(prompt.text, int(salt[:7], 16), about.model, salt[:16])
        return self.adapter.body(asked, self.settings.decoding)

    def send(self, prompt: Prompt, request: Mapping[str, Any]) -> Reply:
        what = f"prompt {prompt.id!r}"
        return self.client.ask(what, self.adapter.path, self.adapter.read, body=request)


def _collected(
    store: Store,
    key: Mapping[str, Any],
    requests: Mapping[Prompt, Mapping[str, Any]],
    line: _Line,
) -> dict[str, Reply]:
    """The replies to these requests by their digest. What has come is kept, whatever
    becomes of the rest.
    """
    names = {digest(request): prompt for prompt, request in requests.items()}
    trouble: list[ModelError] = []

    def grown(old: dict[str, Reply] | None) -> dict[str, Reply]:
        missing = [name for name in names if name not in (old or {})]
        if old is not None and not missing:
            return old
        line.client.say(f"asking {line.client.url}: {len(missing):,} prompts to go")
        new: dict[str, Reply] = {}

        def send(name: str) -> None:
            try:
                new[name] = line.send(names[name], requests[names[name]])
            except ModelError as error:
                trouble.append(error)

        with ThreadPoolExecutor(line.settings.concurrency) as several:
            list(several.map(send, missing[:PORTION]))
        return {**(old or {}), **new}

    while True:
        found = store.update(
            "replies", key, change=grown, read=reader(_replies), write=keep
        )
        n_missing = sum(name not in found for name in names)
        if trouble:
            raise ModelError(
                f"{trouble[0]}. {n_missing:,} of {len(names):,} replies are missing, "
                "the others are kept: run again to go on."
            )
        if not n_missing:
            return found


def _replies(kept: Mapping[str, Any]) -> dict[str, Reply]:
    return {name: Reply.of(reply) for name, reply in kept.items()}


def _counted(
    settings: Settings, about: About, prompts: PromptSet, replies: tuple[Reply, ...]
) -> Served:
    rows, broken, width = [], [], 1
    rounds_of = ADAPTERS[about.engine].rounds
    for prompt, reply in zip(prompts, replies, strict=True):
        try:
            rounds = rounds_of(reply)
            rows.append(row(reply, rounds, settings.max_new_tokens))
            width = max(width, rounds.width, *rounds.drafted)
        except BrokenError as error:
            broken.append(f"the reply to prompt {prompt.id!r} cannot be true: {error}")
            rows.append((UNKNOWN,) * 5)
    problem = ""
    if broken:
        problem = f"{broken[0]} ({len(broken)} of {len(replies)} replies)"
    return Served(
        about=about,
        place=settings.server,
        trace=_trace(settings, about, prompts, replies),
        tally=tally(rows),
        replies=replies,
        lookahead=Lookahead(width),
        problem=problem,
    )


def _trace(
    settings: Settings, about: About, prompts: PromptSet, replies: tuple[Reply, ...]
) -> Trace:
    """Its tokens, -1 where it gave no ids; nothing is known of their probabilities."""
    header = Header(
        target=about.name,
        target_fingerprint=about.fingerprint,
        tokenizer_fingerprint="",
        prompts=prompts.name,
        prompts_fingerprint=prompts.fingerprint,
        decoding=settings.decoding,
        dtype="",
        device="server",
        eos=(),
    )
    ids = [reply.tokens or (-1,) * reply.n_tokens for reply in replies]
    offsets = offsets_of(np.array([len(tokens) for tokens in ids], dtype=np.int64))
    columns = {
        name: np.full(offsets[-1], np.nan if kind is np.float32 else 0, kind)
        for name, kind in {**TEXT, **READING}.items()
    }
    columns["token"] = np.array([t for tokens in ids for t in tokens], dtype=np.int32)
    text = Text(header, tuple(prompts), offsets, {name: columns[name] for name in TEXT})
    reading = {name: columns[name] for name in READING}
    return Trace(text, Reading(about.engine, about.fingerprint, reading))
