"""transformers' own assisted generation, prompt by prompt: what the library really
writes and counts where that does not follow from the target's text.

Knows how the library is asked, and watches it from outside. It counts as the library
does: every round's last token is the target's own, what precedes it was accepted.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.generation.streamers import BaseStreamer

from specfair.decoding import Decoding, Lookahead
from specfair.engine.task import Task, task
from specfair.errors import UsageError
from specfair.models.load import quiet
from specfair.models.pair import Pair
from specfair.models.translating import Translated
from specfair.texts.prompts import Prompt
from specfair.traces.tally import Tally
from specfair.traces.trace import Text, offsets_of


class _Watcher(BaseStreamer):
    """One call of generate, round by round."""

    def __init__(self, prompt: Sequence[int]) -> None:
        self.n_prompt = len(prompt)
        self.written: list[list[int]] = []  # the prompt first
        self.drafted: list[int] = []

    def put(self, value: Tensor) -> None:
        self.written.append(value.flatten().tolist())

    def end(self) -> None:
        """Nothing is held back."""

    def before_target(self, _: Any, __: Any, asked: dict[str, Any]) -> None:
        """The target reads the prompt, or the last token, and what was drafted."""
        known = 1 if self.drafted else self.n_prompt
        self.drafted.append(asked["input_ids"].shape[1] - known)

    @property
    def text(self) -> list[int]:
        return [token for tokens in self.written[1:] for token in tokens]

    @property
    def counts(self) -> tuple[int, int, int, int, int]:
        """In the order of a Tally's fields."""
        matches = [len(tokens) - 1 for tokens in self.written[1:]]
        pairs = zip(matches, self.drafted, strict=True)
        n_rejected = sum(n < n_drafted for n, n_drafted in pairs)
        return (
            len(self.text),
            len(matches),
            sum(self.drafted),
            sum(matches) + n_rejected,
            sum(matches),
        )


def assisted(
    pair: Pair, prompts: Sequence[Prompt], decoding: Decoding, lookahead: Lookahead
) -> tuple[Text, Tally]:
    """What `generate` writes and counts after each prompt."""
    if lookahead.schedule == "pmin":
        raise UsageError(
            f"lookahead {lookahead}: transformers always proposes the doubtful token. "
            "Use confidence-N@X."
        )
    asked = task(pair, prompts, decoding)
    how = _how(asked, lookahead)
    with quiet(), torch.random.fork_rng():
        torch.manual_seed(decoding.seed)
        found = [_watched(asked, ids, how) for ids in asked.ids]
    texts = [np.array(watcher.text, dtype=np.int32) for watcher in found]
    text = Text(
        asked.header,
        tuple(prompts),
        offsets_of(np.array([len(each) for each in texts], dtype=np.int64)),
        {"token": np.concatenate(texts)},
        tuple(np.array(ids, dtype=np.int32) for ids in asked.ids),
    )
    counts = np.array([watcher.counts for watcher in found], dtype=np.float64)
    return text, Tally(*counts.T)


def _watched(asked: Task, ids: Sequence[int], how: dict[str, Any]) -> _Watcher:
    watcher, target = _Watcher(ids), asked.pair.target
    hook = target.register_forward_pre_hook(watcher.before_target, with_kwargs=True)
    read = torch.tensor([ids], device=asked.pair.device)
    generate: Any = target.generate  # to torch an attribute of a module is a tensor
    try:
        generate(read, attention_mask=torch.ones_like(read), streamer=watcher, **how)
    finally:
        hook.remove()
    return watcher


def _how(asked: Task, lookahead: Lookahead) -> dict[str, Any]:
    """The library changes what it is given: the draft's layers, and tokenizers are what
    it remembers that by. So it gets its own.
    """
    pair, decoding = asked.pair, asked.decoding
    mapped = isinstance(pair.draft, Translated)
    assistant = deepcopy(pair.draft.model if mapped else pair.draft)
    held = "constant" if lookahead.doubts else lookahead.schedule
    assistant.generation_config.update(
        num_assistant_tokens=lookahead.n,
        num_assistant_tokens_schedule=held,
        assistant_confidence_threshold=lookahead.threshold,
    )
    how = {"assistant_model": assistant, "max_new_tokens": decoding.max_new_tokens}
    how |= {"eos_token_id": list(asked.eos) or None, "do_sample": not decoding.greedy}
    if not decoding.greedy:
        how |= {n: getattr(decoding, n) for n in ("temperature", "top_k", "top_p")}
    if mapped:
        how["tokenizer"] = deepcopy(pair.tokenizer)
        how["assistant_tokenizer"] = deepcopy(pair.draft.tokenizer)
    return how
