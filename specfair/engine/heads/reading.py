"""A head reads a text: its coins by start and depth, from the target's own reading of
that text.

Knows batches and columns; does not know heads, nor what the coins are counted for.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedModel

from specfair.engine.batches import in_batches
from specfair.engine.columns import At, reduced
from specfair.engine.heads.following import Following
from specfair.engine.heads.seen import Head, Seen, look, pad_right
from specfair.engine.sheet import Sheet, within
from specfair.engine.task import Rows, Task
from specfair.errors import DataError
from specfair.traces.trace import READING, Columns, Text

Timed = Callable[[Callable[[], object]], float]
_BATCH_LOGITS = {"cpu": 1 << 23, "cuda": 1 << 30}  # numbers of the target's at a time


@dataclass(frozen=True, slots=True)
class HeadDraft:
    """A head as a draft that answers for all starts at once."""

    head: Head
    target: PreTrainedModel
    most: int  # how many tokens it proposes at most
    least: int = 1  # tokens that a prompt must have
    beside: bool = False  # nothing is proposed where one token is left

    def open(self, rows: Sequence[int]) -> Following:
        return Following(self.head, self.most, self.target, len(rows))

    @torch.inference_mode()
    def seconds(self, n_rows: int, timed: Timed) -> float:
        """Of one proposal, on the average of a round."""
        ids = torch.zeros((n_rows, 2 + self.most), dtype=torch.long)
        ids = ids.to(self.target.device)
        seen = Seen(ids, look(self.target, ids, ids[:, :1])[0], ids[:, :1])
        work: Callable[[], object] = partial(
            deque, islice(self.head.passes(seen), self.most), 0
        )
        return timed(work) / self.most

    def read(self, asked: Task, text: Text) -> Columns:
        """Rounds start at a text's second token: the pass over the prompt, which yields
        the states a head needs, writes the first one.
        """
        self._check(asked)
        sheet = Sheet(asked.shape, READING)
        ahead = np.zeros((*asked.shape, self.most), np.float32)
        size = _BATCH_LOGITS.get(asked.pair.device.type, 1 << 26) // asked.pair.n_vocab
        work = partial(_batch, self, asked, text, (sheet, ahead))
        in_batches(asked, work, batch_tokens=max(1, size))
        kept = within(text.lengths, asked.shape[1])
        drafted = np.full(asked.shape, self.most, np.int32)
        drafted[:, 0], ahead[:, 0] = 0, 0.0
        if self.beside:
            drafted[:, -1], ahead[:, -1] = 0, 0.0
        return {**sheet.kept(kept), "ahead": ahead[kept], "drafted": drafted[kept]}

    def _check(self, asked: Task) -> None:
        for prompt, ids in zip(asked.prompts, asked.ids, strict=True):
            if len(ids) < self.least:
                raise DataError(
                    f"prompt {prompt.id!r} has {len(ids)} tokens; the draft's "
                    f"{self.least} layers read one each. Use longer prompts."
                )


def tokens_of(text: Text, row: int) -> list[int]:
    """What was written after a prompt."""
    here = slice(text.offsets[row], text.offsets[row + 1])
    written: list[int] = text.columns["token"][here].tolist()
    return written


@torch.inference_mode()
def _batch(
    draft: HeadDraft,
    asked: Task,
    text: Text,
    into: tuple[Sheet, NDArray[np.float32]],
    rows: Rows,
) -> None:
    """Both tables of these prompts; what they hold behind a text's end is nobody's."""
    seen, target = _looked(draft, asked, text, rows)
    uniforms, (sheet, ahead) = asked.uniforms(rows), into
    first = asked.pair.first_choice
    for depth, drafted in enumerate(islice(draft.head.passes(seen), draft.most)):
        # start i proposes token i + depth
        n = target.shape[1] - depth
        token = seen.token(1)[:, depth:]
        at = At(token.flatten(), uniforms[:, depth:].flatten(0, 1), first_choice=first)
        own, other = target[:, depth:].flatten(0, 1), drafted[:, :n].flatten(0, 1)
        found = {
            name: values.view(token.shape)
            for name, values in reduced(own, other.float(), at, asked.decoding).items()
        }
        ahead[rows, :n, depth] = found["accept_prob"].cpu().numpy()
        if depth == 0:
            sheet.write((rows[:, None], np.arange(n)), found)
        if n == 1:
            break


def _looked(
    draft: HeadDraft, asked: Task, text: Text, rows: Rows
) -> tuple[Seen, Tensor]:
    """What the head sees of the texts, and the target's logits for their tokens."""
    n_new, device = asked.decoding.max_new_tokens, asked.pair.device
    whole = [[*asked.ids[i], *tokens_of(text, i)] for i in rows]
    ids = pad_right(whole, n_new + draft.most, device)
    first = torch.tensor([len(asked.ids[i]) for i in rows], device=device)
    # of a token: the last state that a round which starts there knows. A prompt of one
    # token has none for its first; nothing starts there in any case
    starts = first[:, None] - 2 + torch.arange(n_new, device=device)
    hidden, logits = look(asked.pair.target, ids, starts + 1)
    return Seen(ids, hidden, starts.clamp(min=0)), logits
