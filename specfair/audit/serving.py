"""A server is asked: prompts go out in an order that favours no group, replies are kept
as they come.

Knows the store, the order, and what is asked for which purpose. It opens no model; what
the replies of a kind of server mean is known in `servers`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from specfair.audit.lending import Say
from specfair.audit.served import Served, counts_for, text_of
from specfair.audit.values import keep, reader, remembered
from specfair.config import Settings
from specfair.errors import ModelError, UsageError
from specfair.servers.adapter import About, Adapter, Asked
from specfair.servers.client import Client
from specfair.servers.counters import COUNTERS
from specfair.servers.llama_cpp import LLAMA_CPP
from specfair.servers.reply import Reply
from specfair.servers.sglang import SGLANG
from specfair.servers.vllm import VLLM
from specfair.store import Store, digest
from specfair.texts.prompts import Prompt, PromptSet
from specfair.texts.prompts.sets import shuffled

ADAPTERS: Mapping[str, Adapter] = {
    "llama.cpp": LLAMA_CPP,
    "vllm": VLLM,
    "sglang": SGLANG,
    "vllm-counters": COUNTERS,
}
PORTION = 256  # replies between two writes to disk
N_AGAIN = 40  # prompts of each group that are asked again in reverse order


@dataclass(frozen=True, slots=True)
class _Line:
    """To a server."""

    client: Client
    about: About
    settings: Settings

    @property
    def adapter(self) -> Adapter:
        return ADAPTERS[self.about.engine]

    def sent(self, prompt: Prompt, why: str) -> "_Sent":
        """All that a reply depends on."""
        salt = shuffled(self.settings.seed, prompt.id, why)
        seed = int(shuffled(self.settings.seed, prompt.id)[:7], 16)
        asked = Asked(prompt.text, seed, self.about.model, salt[:16])
        body = self.adapter.body(asked, self.settings.decoding)
        return _Sent(self, prompt, body, digest({"why": why, "body": body}))


@dataclass(frozen=True, slots=True)
class _Sent:
    """A request, and what its reply is kept as."""

    line: _Line
    prompt: Prompt
    body: Mapping[str, Any]
    name: str

    def reply(self) -> Reply:
        adapter, what = self.line.adapter, f"prompt {self.prompt.id!r}"
        client = self.line.client
        if adapter.alone:
            return adapter.alone(client, self.body, what)
        return client.ask(what, adapter.path, adapter.read, body=self.body)


def served(settings: Settings, store: Store, prompts: PromptSet, say: Say) -> Served:
    """Ask for what is not kept of the replies yet, and count."""
    line = _line(settings.server, settings, store, say)
    order = interleaved(prompts, settings.seed)
    told = {p: line.sent(p, "") for p in order}
    again, plain, key = {}, {}, {"server": line.about.fingerprint}
    if settings.order_check:
        some = set(prompts.limit(N_AGAIN))
        again = {p: line.sent(p, "again") for p in reversed(order) if p in some}
    if settings.server_plain:
        without = _line(settings.server_plain, settings, store, say)
        plain = {p: without.sent(p, "plain") for p in order}
        key["plain"] = without.about.fingerprint
    kept = _collected(
        store,
        key | _where(settings.server, settings),
        [*_in_alternation(told, plain), *again.values()],
        say,
    )

    def replies(sent: Mapping[Prompt, _Sent], of: Iterable[Prompt]) -> list[Reply]:
        return [kept[sent[prompt].name] for prompt in of]

    first, budget = replies(told, prompts), settings.max_new_tokens
    if not any(kept[each.name].reported for each in (*told.values(), *again.values())):
        raise ModelError(
            f"server {settings.server!r} tells nothing of drafts in {len(first):,} "
            f"replies. Let it: {line.adapter.lacking}."
        )
    found = counts_for(line.adapter, tuple(prompts), first, budget)
    return Served(
        about=line.about,
        place=settings.server,
        trace=text_of(line.about, prompts, first, settings.decoding),
        told=found,
        again=counts_for(line.adapter, tuple(again), replies(again, again), budget)
        if again
        else None,
        plain=tuple(replies(plain, prompts)) if plain else (),
        problem=found.problem,
    )


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


def _in_alternation(
    told: Mapping[Prompt, _Sent], plain: Mapping[Prompt, _Sent]
) -> Iterator[_Sent]:
    """Both ways of a prompt one after the other, the first of them in turn."""
    for i, prompt in enumerate(told):
        both = [told[prompt], *([plain[prompt]] if plain else [])]
        yield from both if i % 2 else both[::-1]


def _where(url: str, settings: Settings) -> dict[str, str]:
    return {"url": url, "run": settings.server_run}


def _line(url: str, settings: Settings, store: Store, say: Say) -> _Line:
    """To what the server says it is, or said before where it answers nobody now."""
    client = Client(url, settings.timeout, settings.retries, say)
    kinds = ADAPTERS
    if settings.engine in ADAPTERS:
        kinds = {settings.engine: ADAPTERS[settings.engine]}
    where = _where(url, settings)

    def read(plain: Mapping[str, Any]) -> About:
        return About(**plain)

    try:
        about = store.update(
            "servers",
            where,
            change=lambda _: _identified(kinds, client),
            read=reader(read),
            write=keep,
        )
    except ModelError as error:
        trouble = error

        def absent() -> About:
            raise trouble

        about = remembered(store, "servers", where, make=absent, read=read)
    return _Line(client, about, settings)


def _identified(kinds: Mapping[str, Adapter], client: Client) -> About:
    """Of the kind that it calls itself, or of the one that was named."""
    models = client.facts("/v1/models").get("data") or [{}]
    first = models[0]
    for name, adapter in kinds.items():
        if len(kinds) == 1 or first.get("owned_by") == adapter.owner:
            known = {n: first.get(n) for n in ("meta", "root", "max_model_len")}
            model = str(first.get("id", ""))
            return About(name, model, {**known, **adapter.facts(client)})
    raise UsageError(
        f"server {client.url!r} calls itself none of {', '.join(kinds)}. Name its kind "
        "with --engine (--specfair-engine)."
    )


def _collected(
    store: Store, key: Mapping[str, Any], sent: list[_Sent], say: Say
) -> dict[str, Reply]:
    """The replies by name. What has come is kept, whatever becomes of the rest."""
    trouble: list[ModelError] = []

    def grown(old: dict[str, Reply] | None) -> dict[str, Reply]:
        missing = [each for each in sent if each.name not in (old or {})]
        if old is not None and not missing:
            return old
        say(f"asking {key['url']}: {len(missing):,} requests to go")
        new: dict[str, Reply] = {}

        def ask(each: _Sent) -> None:
            try:
                new[each.name] = each.reply()
            except ModelError as error:
                trouble.append(error)

        alone = any(each.line.adapter.alone for each in sent)
        n_at_once = 1 if alone else sent[0].line.settings.concurrency
        with ThreadPoolExecutor(n_at_once) as several:
            list(several.map(ask, missing[:PORTION]))
        return {**(old or {}), **new}

    while True:
        found = store.update(
            "replies", key, change=grown, read=reader(_replies), write=keep
        )
        n_missing = sum(each.name not in found for each in sent)
        if trouble:
            raise ModelError(
                f"{trouble[0]}. {n_missing:,} of {len(sent):,} replies are missing, "
                "the others are kept: run again to go on."
            )
        if not n_missing:
            return found


def _replies(kept: Mapping[str, Any]) -> dict[str, Reply]:
    return {name: Reply.of(reply) for name, reply in kept.items()}
