"""What models make of texts, token by token: for the target, once and kept in a pool;
for a draft that learns, at every step.

Knows tensors of tokens and masks. Does not know losses, groups' shares or steps.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from specfair.errors import DataError
from specfair.models.pair import Pair, encode
from specfair.texts.prompts import Prompt
from specfair.traces.trace import Trace
from specfair.training.pool import N_TOP, Pool
from specfair.training.turns import NOBODY

_ROWS = 32  # texts read at a time


def logs_at(model: Any, batch: Mapping[str, Tensor], n_vocab: int) -> Tensor:
    """Logarithms of the probabilities (n, places, n_vocab) of what follows each of the
    places.
    """
    read = {name: batch[name] for name in ("input_ids", "attention_mask")}
    logits = model(**read).logits[..., :n_vocab]
    places = batch["places"].unsqueeze(-1).expand(-1, -1, logits.shape[-1])
    found: Tensor = logits.gather(1, places).float().log_softmax(-1)
    return found


def blocks_as_texts(blocks: Tensor) -> dict[str, Tensor]:
    """Blocks of a corpus (n, block) as a batch in which every token but the first is to
    be learned, and nobody's.
    """
    places = torch.arange(blocks.shape[1] - 1, device=blocks.device)
    everywhere = places.expand(len(blocks), -1)
    return {
        "input_ids": blocks,
        "attention_mask": torch.ones_like(blocks, dtype=torch.bool),
        "places": everywhere,
        "kept": torch.ones_like(everywhere, dtype=torch.bool),
        "group": torch.full_like(blocks[:, 0], NOBODY),
        "starts": torch.full_like(blocks[:, 0], max(1, blocks.shape[1] // 2)),
    }


@torch.no_grad()
def written(
    model: Any, batch: Mapping[str, Tensor], ends: Sequence[int]
) -> dict[str, Tensor]:
    """The same beginnings with what `model` writes behind them now, at temperature 1,
    up to a token of `ends` or to the width of the batch's texts.
    """
    starts = batch["starts"]
    tokens, width = batch["input_ids"], int(starts.max())
    n_new = batch["places"].shape[1] if "ids" in batch else tokens.shape[1] - width
    # beginnings end at the same column, as writers want it
    columns = torch.arange(width, device=tokens.device) - (width - starts)[:, None]
    valid = columns >= 0
    begun = tokens.gather(1, columns.clamp(min=0))
    training, _ = model.training, model.eval()
    found = model.generate(
        begun,
        attention_mask=valid.long(),
        max_new_tokens=max(1, n_new),
        do_sample=True,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        use_cache=True,
        eos_token_id=list(ends) or None,
        pad_token_id=ends[0] if ends else 0,
    )
    model.train(training)
    text = found[:, width:]
    end = torch.isin(text, torch.tensor(ends, device=text.device))
    kept = (end.cumsum(1) - end.long()) == 0  # the first end included
    valid = torch.cat([valid, kept], dim=1)
    # back to the left, where positions count from
    order = valid.long().argsort(dim=1, descending=True, stable=True)
    steps = torch.arange(text.shape[1], device=text.device)
    places = starts[:, None] - 1 + steps
    return {
        "input_ids": found.gather(1, order),
        "attention_mask": valid.gather(1, order),
        "places": places.clamp(max=found.shape[1] - 1),
        "kept": kept,
        "group": batch["group"],
    }


def taught(pair: Pair, trace: Trace, prompts: Sequence[Prompt]) -> Pool:
    """The texts of a trace as a pool; they are read behind `prompts`, one for each,
    which are the trace's own unless somebody put other identities in.
    """
    if not len(trace):
        raise DataError("there are 0 texts to learn from; at least 1 is needed.")
    n_new = trace.header.decoding.max_new_tokens
    begun, _ = encode(pair, prompts, n_new)
    names = sorted({p.group for p in prompts} - {""})
    starts = np.array([len(ids) for ids in begun])
    tokens = np.zeros((len(trace), int((starts + trace.lengths).max())), np.int32)
    for row, ids, at in zip(tokens, begun, range(len(trace)), strict=True):
        text = trace.text.of(at)
        row[: len(ids) + len(text)] = [*ids, *text]
    n_top = min(N_TOP, pair.n_vocab)
    shape = (len(trace), int(trace.lengths.max()), n_top)
    pool = Pool(
        groups=np.array(names, dtype=np.str_),
        alphas=_alphas(trace, names),
        group=np.array([names.index(p.group) if p.group else NOBODY for p in prompts]),
        tokens=tokens,
        starts=starts,
        lengths=trace.lengths,
        ids=np.zeros(shape, np.int32),
        logs=np.zeros(shape, np.float16),
    )
    _read(pair, pool)
    return pool


def _alphas(trace: Trace, names: Sequence[str]) -> "np.ndarray[Any, Any]":
    """The draft's mean coin on the texts of each group as they were written."""
    sums, whose = (
        trace.per_prompt(trace["accept_prob"]),
        np.array([p.group for p in trace.prompts]),
    )
    some = [whose == name for name in names]
    return np.array([sums[s].sum() / trace.lengths[s].sum() for s in some])


@torch.inference_mode()
def _read(pair: Pair, pool: Pool) -> None:
    """Fill in the target's most probable tokens, short texts together."""
    order = np.argsort(pool.starts + pool.lengths, kind="stable")
    for rows in np.split(order, range(_ROWS, len(order), _ROWS)):
        batch = {
            name: torch.from_numpy(value).to(pair.device)
            for name, value in pool.batch(rows.tolist()).items()
        }
        logs = logs_at(pair.target, batch, pair.n_vocab)
        top = logs.topk(pool.ids.shape[-1], dim=-1)
        pool.ids[rows, : logs.shape[1]] = top.indices.cpu().numpy()
        pool.logs[rows, : logs.shape[1]] = top.values.cpu().numpy()
