"""A model with its key/value cache: a batch of rows that take tokens and give logits,
and can take tokens back.

Knows positions, masks and cache layout for any attention-only causal LM; does not know
sampling, drafts or acceptance. Columns of the cache are only ever appended. A token
taken back stays as a hole that the mask hides, so rows may accept different numbers of
tokens without a copy; `squeeze` removes the holes when they would cost more than they
save.
"""

from inspect import signature
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import Cache, DynamicLayer, PreTrainedModel

from specfair.errors import ModelError

_WASTE, _SLACK = 1.5, 32  # a row may be this much wider than its text, holes and all

# biases attention by the distance in columns, whatever is masked between
_COUNTS_COLUMNS = ("mpt",)


class _RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]  # the library is only partly typed
    """Keys and values in a buffer with room ahead, so that a step writes its columns
    instead of copying all.
    """

    room: tuple[Tensor, Tensor] | None = None

    def update(
        self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any
    ) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        if self.room is None or self.room[0].shape[-2] < end:
            keys = _roomy(self.keys, key_states, start)
            values = _roomy(self.values, value_states, start)
            self.room = keys, values
        keys, values = self.room
        keys[:, :, start:end] = key_states
        values[:, :, start:end] = value_states
        self.keys, self.values = keys[:, :, :end], values[:, :, :end]
        return self.keys, self.values

    def take(self, rows: Tensor | None, columns: Tensor | None) -> None:
        """Keep some rows, and per row some columns in a new order."""
        self.keys = _taken(self.keys, rows, columns)
        self.values = _taken(self.values, rows, columns)
        self.room = None

    def join(self, other: "_RoomyLayer") -> None:
        """The other's rows below these, both ending at the same column."""
        width = max(self.get_seq_length(), other.get_seq_length())
        self.keys = _joined(self.keys, other.keys, width)
        self.values = _joined(self.values, other.values, width)
        self.room = None


def _roomy(seen: Tensor | None, new: Tensor, n_seen: int) -> Tensor:
    """A buffer that starts with what was seen and has room for the new columns and some
    more.
    """
    capacity = (n_seen + new.shape[-2]) // 16 * 16 + 16
    buffer = new.new_empty((*new.shape[:2], capacity, new.shape[-1]))
    if n_seen and seen is not None:
        buffer[:, :, :n_seen] = seen
    return buffer


def _joined(first: Tensor | None, second: Tensor | None, width: int) -> Tensor:
    states = [s for s in (first, second) if s is not None]
    return torch.cat([pad(s, (0, 0, width - s.shape[-2], 0)) for s in states])


def _taken(states: Any, rows: Tensor | None, columns: Tensor | None) -> Tensor:
    taken: Tensor = states if rows is None else states[rows.to(states.device)]
    if columns is None:
        return taken
    index = columns.to(states.device)[:, None, :, None]
    return taken.gather(2, index.expand(-1, taken.shape[1], -1, taken.shape[-1]))


class Cursor:
    """One model and the rows it is reading. Mutable: it is a cursor, and never leaves
    the function that made it.
    """

    def __init__(self, model: PreTrainedModel, n_rows: int, n_vocab: int) -> None:
        self.model = model
        self.n_vocab = n_vocab
        self.cache = Cache(layer_class_to_replicate=_RoomyLayer)
        self.mask = torch.zeros((n_rows, 0), dtype=torch.bool, device=model.device)
        self.lengths = torch.zeros(n_rows, dtype=torch.long, device=model.device)
        self.holes = False
        accepted = signature(model.forward).parameters
        self._positions = "position_ids" in accepted
        self._keeps = "logits_to_keep" in accepted

    @property
    def layers(self) -> list[Any]:
        """One per attention layer of the model."""
        return self.cache.layers

    def feed(
        self, tokens: Tensor, valid: Tensor | None = None, *, keep: int = 0
    ) -> Tensor:
        """Read tokens (n_rows, n) and return logits after the last `keep` of them (all
        if 0), in float32.

        Where `valid` is False the token is padding: nothing will ever attend to it.
        """
        # of this model: with a device map, target and draft may live apart
        home = self.mask.device
        valid = torch.ones_like(tokens, dtype=torch.bool) if valid is None else valid
        ahead = valid.to(home).cumsum(-1)
        mask = torch.cat([self.mask, valid.to(home)], dim=1)
        inputs: dict[str, Any] = {"attention_mask": mask.long()}
        if self._positions:
            inputs["position_ids"] = (self.lengths[:, None] + ahead - 1).clamp(min=0)
        if self._keeps:
            inputs["logits_to_keep"] = keep
        inputs["input_ids"] = tokens.to(home)
        inputs["past_key_values"] = self.cache
        output = self.model(use_cache=True, return_dict=True, **inputs)
        self.mask, self.lengths = mask, self.lengths + ahead[:, -1]
        if self.cache.get_seq_length() != mask.shape[1]:
            raise ModelError(
                f"model of type {self.model.config.model_type!r} does not keep one "
                "cache column per token, "
                "so rejected tokens cannot be taken back. Choose an attention-only "
                "model."
            )
        logits: Tensor = output.logits[:, -keep:, : self.n_vocab]
        return logits.to(tokens.device, torch.float32)

    def take_back(self, kept: Tensor) -> None:
        """Of the last columns, hide those where `kept` (n_rows, n) is False."""
        self.holes = True
        kept = kept.to(self.mask.device)
        n = kept.shape[1]
        last = self.mask[:, -n:]
        self.lengths = self.lengths - (last & ~kept).sum(-1)
        self.mask = torch.cat([self.mask[:, :-n], last & kept], dim=1)

    def keep_rows(self, rows: Tensor) -> None:
        """Only these rows (indices) stay in the batch."""
        rows = rows.to(self.mask.device)
        self.mask, self.lengths = self.mask[rows], self.lengths[rows]
        for layer in self.layers:
            layer.take(rows, None)

    def make_room(self, n: int) -> None:
        """Before n more columns: close the holes where they waste memory, or where
        columns stand for positions.

        Windows of local attention, and tables of a fixed number of positions, count
        columns: there no hole may stay.
        """
        width, longest = self.mask.shape[1], int(self.lengths.max())
        if self.holes and (
            width + n > _span(self.model) or width > _WASTE * longest + _SLACK
        ):
            self.squeeze(longest)

    def squeeze(self, width: int) -> None:
        """Close the holes: every row ends at the last column again, padding on its
        left.
        """
        self.holes = False
        order = torch.sort(self.mask.int(), dim=1, stable=True).indices[:, -width:]
        self.mask = self.mask.gather(1, order)
        for layer in self.layers:
            layer.take(None, order)

    def join(self, other: "Cursor") -> None:
        """The other's rows enter this batch, below its own."""
        width = max(self.mask.shape[1], other.mask.shape[1])
        own = pad(self.mask, (width - self.mask.shape[1], 0))
        theirs = pad(other.mask, (width - other.mask.shape[1], 0))
        self.mask = torch.cat([own, theirs])
        self.lengths = torch.cat([self.lengths, other.lengths])
        self.holes |= other.holes
        for layer, more in zip(self.layers, other.layers, strict=True):
            layer.join(more)


def _span(model: PreTrainedModel) -> float:
    """The number of columns up to which a column's place among the others does not
    matter.
    """
    config = model.config.get_text_config(decoder=True)
    if config.model_type in _COUNTS_COLUMNS:
        return 0
    span = float("inf")
    for name in (
        "sliding_window",
        "window_size",
        "attention_chunk_size",
        "max_position_embeddings",
    ):
        span = min(span, getattr(config, name, None) or span)
    return span


def pad_left(
    sequences: list[list[int]],
    device: torch.device,
    *,
    of: list[list[int]] | None = None,
) -> tuple[Tensor, Tensor]:
    """Tokens and validity, each (n_rows, longest), at least one column wide.

    A row's padding is the first token of its text, so that it holds nothing the row
    does not read: attention gives padding the weight 0, but 0 times NaN is NaN. `of`
    are the texts, where the sequences are parts of them.
    """
    longest = max(1, *map(len, sequences))
    padded, n_padding = [], []
    for part, text in zip(sequences, of or sequences, strict=True):
        n = longest - len(part)
        padded.append((text[:1] or [0]) * n + part)
        n_padding.append(n)
    valid = torch.arange(longest) >= torch.tensor(n_padding)[:, None]
    return torch.tensor(padded).to(device), valid.to(device)
