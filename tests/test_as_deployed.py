"""as_deployed counting against transformers' own assisted generation, watched from
outside.

A streamer sees what each round wrote (rounds, matches), a forward hook on the target
sees what each round was offered (drafted tokens); nothing in the library is replaced.
Every count of every prompt is equal, with one exception that is accounted for token by
token: after a rejected token the draft goes on from its own words, which no trace of
the target's text holds. Where it then proposes EOS it stops, and replay, which cannot
know, counts on to the full lookahead. `unseen` is that surplus; without it the counts
of drafted tokens are equal, and it is never negative.

Two pairs: tables of next-token scores, so small that 200 prompts can be run under each
of the 18 settings, and the embedded pair, whose prompts are shared out among the
settings.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import DynamicCache, GenerationMixin, PreTrainedModel
from transformers.configuration_utils import PretrainedConfig
from transformers.generation.streamers import BaseStreamer
from transformers.modeling_outputs import CausalLMOutputWithPast

from specfair.decoding import Decoding, Lookahead
from specfair.engine import tracer
from specfair.models import load
from specfair.models.pair import Pair, encode
from specfair.texts import prompts
from specfair.traces.counting import AS_DEPLOYED
from specfair.traces.replay import replay
from specfair.traces.trace import Trace
from tests.made_traces import EOS, table, trace_of

SETTINGS = [
    Lookahead(n, s)
    for s in ("constant", "heuristic", "heuristic_transient")
    for n in (1, 2, 3, 5, 8, 20)
]

# never three drafted in six tokens
NOTHING_BEHIND = (Lookahead(1), Lookahead(2), Lookahead(2, "heuristic_transient"))


@dataclass
class Watcher(BaseStreamer):
    """What one call of generate did, round by round."""

    prompt: list[int] = field(default_factory=list)
    written: list[list[int]] = field(default_factory=list)  # by round
    offered: list[list[int]] = field(default_factory=list)  # by round

    def put(self, value: Tensor) -> None:
        tokens = value.flatten().tolist()
        if self.prompt:
            self.written.append(tokens)
        else:
            self.prompt = tokens

    def end(self) -> None:
        pass

    def before_target(self, _module: Any, _args: Any, kwargs: dict[str, Any]) -> None:
        tokens = kwargs["input_ids"].flatten().tolist()
        self.offered.append(tokens[1:] if self.offered else tokens[len(self.prompt) :])

    @property
    def text(self) -> list[int]:
        return [token for tokens in self.written for token in tokens]

    @property
    def counts(self) -> list[int]:
        """As transformers keeps them: every round's last token is the target's own,
        what precedes it are matches.
        """
        matches = [len(tokens) - 1 for tokens in self.written]
        drafted = [len(tokens) for tokens in self.offered]
        rejections = sum(m < d for m, d in zip(matches, drafted, strict=True))
        return [
            len(self.text),
            len(self.written),
            sum(drafted),
            sum(matches) + rejections,
            sum(matches),
        ]

    def unseen(self, n: int, lookahead: Lookahead, budget: int) -> int:
        """Tokens that an EOS behind a rejected token kept the draft from proposing."""
        left, surplus = budget, 0
        for written, offered in zip(self.written, self.offered, strict=True):
            if len(offered) > len(written) and offered[-1] == EOS:
                surplus += min(n, left - 1) - len(offered)
            full = len(written) - 1 == len(offered)
            left -= len(written)
            if lookahead.schedule != "constant":
                n = n + 2 if full else max(1, n - 1)
        return surplus


def watch(
    target: PreTrainedModel, draft: PreTrainedModel, ids: list[int], max_new_tokens: int
) -> Watcher:
    """One prompt through generate(assistant_model=...)."""
    watcher = Watcher()
    hook = target.register_forward_pre_hook(watcher.before_target, with_kwargs=True)
    try:
        target.generate(  # type: ignore[operator]  # an attribute of a module is a tensor to torch
            torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids)),
            assistant_model=draft,
            max_new_tokens=max_new_tokens,
            do_sample=False,
            streamer=watcher,
        )
    finally:
        hook.remove()
    return watcher


def configure(draft: PreTrainedModel, lookahead: Lookahead) -> None:
    """Only the assistant's own generation config is listened to."""
    draft.generation_config.update(
        num_assistant_tokens=lookahead.n,
        num_assistant_tokens_schedule=lookahead.schedule,
        assistant_confidence_threshold=0.0,
    )


def run_and_compare(
    models: tuple[PreTrainedModel, PreTrainedModel],
    ids: list[list[int]],
    trace: Trace,
    lookahead: Lookahead,
) -> int:
    """Assert that every count of every prompt is equal; how many drafted tokens the
    trace could not know about.
    """
    target, draft = models
    configure(draft, lookahead)
    counted = table(replay(trace, lookahead, counting=AS_DEPLOYED))
    unseen = []
    for prompt, text, expected in zip(
        ids, np.split(trace["token"], trace.offsets[1:-1]), counted, strict=True
    ):
        # what the prompt before left behind
        n = draft.generation_config.num_assistant_tokens
        watcher = watch(target, draft, prompt, trace.header.decoding.max_new_tokens)
        assert watcher.text == text.tolist()
        unseen.append(
            watcher.unseen(n, lookahead, trace.header.decoding.max_new_tokens)
        )
        seen = np.array(watcher.counts)
        seen[2] += unseen[-1]
        np.testing.assert_array_equal(expected, seen)
    assert min(unseen) >= 0
    return sum(unseen)


class TableConfig(PretrainedConfig):
    """As much configuration as generate asks for."""

    model_type = "table"

    def __init__(self, **options: Any) -> None:
        self.vocab_size, self.num_hidden_layers = 64, 1
        super().__init__(**options)


class Table(PreTrainedModel, GenerationMixin):
    """A language model that looks up the last two tokens. It reads the older one from
    its cache, so that wrong cropping of the cache would show.
    """

    config_class = TableConfig

    def __init__(self, config: TableConfig, last: Tensor, before: Tensor) -> None:
        super().__init__(config)
        # (n_vocab, n_vocab) each
        self.last, self.before = torch.nn.Parameter(last), torch.nn.Parameter(before)
        self.post_init()

    def _init_weights(self, module: torch.nn.Module) -> None:
        pass

    def forward(
        self, input_ids: Tensor, past_key_values: DynamicCache | None = None, **_: Any
    ) -> CausalLMOutputWithPast:
        cache = DynamicCache() if past_key_values is None else past_key_values
        kept = input_ids[:, None, :, None].float()  # (n_batch, 1, n_tokens, 1)
        seen = cache.update(kept, kept, 0)[0][:, 0, :, 0].long()
        older = torch.cat([seen[:, :1], seen], dim=1)[:, -input_ids.shape[1] - 1 : -1]
        return CausalLMOutputWithPast(
            logits=self.last[input_ids] + self.before[older], past_key_values=cache
        )


@pytest.fixture(scope="module")
def tables() -> tuple[Table, Table]:
    """Two tables that agree on most next tokens; the draft is a little too fond
    of EOS.
    """
    rng = torch.Generator().manual_seed(5)
    config = TableConfig(eos_token_id=EOS, pad_token_id=EOS, bos_token_id=None)
    last, before, noise = (torch.randn(64, 64, generator=rng) for _ in range(3))
    last[:, EOS] += 1.3
    noise[:, EOS] += 0.8
    return Table(config, last, before).eval(), Table(
        config, last + 0.4 * noise, before
    ).eval()


@pytest.fixture(scope="module")
def table_prompts() -> list[list[int]]:
    return torch.randint(
        1, 64, (200, 2), generator=torch.Generator().manual_seed(6)
    ).tolist()


@pytest.fixture(scope="module")
def table_trace(tables: tuple[Table, Table], table_prompts: list[list[int]]) -> Trace:
    """Texts written by the target alone, and what the draft would have put at each
    position.
    """
    target, draft = tables
    with torch.no_grad():
        whole = target.generate(
            torch.tensor(table_prompts), max_new_tokens=6, do_sample=False
        )
        proposed = draft(whole).logits.argmax(-1)[:, 1:-1].tolist()
    texts = [
        tokens[: tokens.index(EOS) + 1] if EOS in tokens else tokens
        for tokens in whole[:, 2:].tolist()
    ]
    return trace_of(
        texts,
        [p[: len(t)] for p, t in zip(proposed, texts, strict=True)],
        decoding=Decoding(max_new_tokens=6),
    )


@pytest.mark.parametrize("lookahead", SETTINGS, ids=str)
def test_200_prompts_count_for_count(
    tables: tuple[Table, Table],
    table_prompts: list[list[int]],
    table_trace: Trace,
    lookahead: Lookahead,
) -> None:
    unseen = run_and_compare(tables, table_prompts, table_trace, lookahead)
    assert (unseen == 0) == (lookahead in NOTHING_BEHIND)


def test_the_tables_are_worth_comparing_on(table_trace: Trace) -> None:
    """Both endings, both outcomes, EOS accepted and EOS proposed too early all
    occur.
    """
    ends = table_trace["token"][table_trace.offsets[1:] - 1] == EOS
    assert 0.2 < ends.mean() < 0.9
    assert 0.4 < table_trace["accepted"].mean() < 0.9
    early = (table_trace["proposal"] == EOS) & ~table_trace["accepted"]
    known = (table_trace["proposal"] == EOS) & table_trace["accepted"]
    assert min(early.sum(), known.sum()) >= 10


@pytest.fixture(scope="module")
def embedded() -> Iterator[Pair]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield load.load("embedded", "embedded", device="cpu")
    torch.set_num_threads(threads)


@pytest.mark.parametrize("share", range(len(SETTINGS)), ids=[str(s) for s in SETTINGS])
def test_the_embedded_pair_count_for_count(embedded: Pair, share: int) -> None:
    """18 settings, 12 prompts of the shipped set each: the trace comes from the tracer,
    in one batch.
    """
    everything = prompts.load("embedded").prompts
    order = np.random.default_rng(7).permutation(len(everything))
    chosen = [everything[i] for i in order[12 * share : 12 * share + 12]]
    decoding = Decoding(max_new_tokens=8)
    trace = tracer.trace(embedded, chosen, decoding)
    ids, _ = encode(embedded, chosen, decoding.max_new_tokens)
    run_and_compare((embedded.target, embedded.draft), ids, trace, SETTINGS[share])
