"""What a pair is asked to write: prompts as tokens, and how they are to go on.

Knows what every way of writing needs before it starts; does not know how text is
written.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from specfair.decoding import Decoding
from specfair.engine import sampling
from specfair.engine.cursor import pad_left
from specfair.engine.sheet import Sheet
from specfair.errors import ModelError
from specfair.models.devices import does_not_fit
from specfair.models.identity import versions
from specfair.models.pair import Pair, encode
from specfair.texts.prompts import Prompt
from specfair.traces.trace import Header, Text, offsets_of

Rows = NDArray[np.int64]  # places in the list of prompts

_FIELDS = tuple(f.name for f in fields(Prompt))


@dataclass(frozen=True, slots=True)
class Task:
    """Prompts to go on from, for the target of a pair."""

    pair: Pair
    prompts: Sequence[Prompt]
    decoding: Decoding
    ids: list[list[int]]  # the prompts as tokens

    @property
    def eos(self) -> tuple[int, ...]:
        """What ends a text."""
        return () if self.decoding.ignore_eos else self.pair.eos

    @property
    def shape(self) -> tuple[int, int]:
        """Of a table with room for every text."""
        return len(self.ids), self.decoding.max_new_tokens

    def batch(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """Tokens and validity (n_rows, longest)."""
        return pad_left([self.ids[i] for i in rows], self.pair.device)

    def uniforms(self, rows: Rows) -> Tensor:
        """(n_rows, max_new_tokens, draws); nothing is drawn under greedy decoding."""
        n_new, device = self.decoding.max_new_tokens, self.pair.device
        if self.decoding.greedy:
            return torch.zeros((len(rows), n_new, sampling.DRAWS), device=device)
        names = [self.prompts[i].stream for i in rows]
        drawn = sampling.uniforms(self.decoding.seed, names, n_new)
        return torch.from_numpy(drawn).to(device)

    def too_large(self, row: int) -> ModelError:
        """What is said where memory runs out even for this prompt alone."""
        n_new, device = self.decoding.max_new_tokens, self.pair.device
        n_tokens = len(self.ids[row])
        return does_not_fit(self.prompts[row].id, n_tokens, n_new=n_new, device=device)

    def text(self, sheet: Sheet, kept: NDArray[np.bool_]) -> Text:
        """What was written at the places kept (n_prompts, max_new_tokens)."""
        offsets = offsets_of(kept.sum(1))
        inputs = tuple(np.array(ids, dtype=np.int32) for ids in self.ids)
        columns = sheet.kept(kept)
        return Text(
            self.header,
            tuple(self.prompts),
            offsets,
            inputs=inputs,
            states=columns.pop("states", None),
            columns=columns,
        )

    @property
    def header(self) -> Header:
        """A prompt set brings its own name and fingerprint."""
        pair, prompts = self.pair, self.prompts
        return Header(
            target=pair.target_name,
            target_fingerprint=pair.target_fingerprint,
            tokenizer_fingerprint=pair.tokenizer_fingerprint,
            prompts=getattr(prompts, "name", "prompts"),
            prompts_fingerprint=getattr(prompts, "fingerprint", None)
            or _fingerprint(prompts),
            decoding=self.decoding,
            dtype=str(pair.dtype).removeprefix("torch."),
            device=pair.device.type,
            eos=self.eos,
            versions=versions(),
        )


def task(
    pair: Pair,
    prompts: Sequence[Prompt],
    decoding: Decoding,
    *,
    known: Sequence[list[int]] = (),
) -> Task:
    """The prompts as tokens, which may be known; a model whose texts would never end is
    refused.
    """
    if not pair.eos and not decoding.ignore_eos:
        raise ModelError(
            f"model {pair.target_name!r} declares no end-of-text token; without one "
            "texts end only with the budget. "
            "Set eos_token_id in its generation_config, or ignore_eos = true."
        )
    ids, _ = encode(pair, prompts, decoding.max_new_tokens, known=known)
    return Task(pair, prompts, decoding, ids)


def _fingerprint(prompts: Sequence[Prompt]) -> str:
    plain = [[getattr(prompt, name) for name in _FIELDS] for prompt in prompts]
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()
