"""Pair and prompts to a Trace: one batched generation by the target, one batched
forward pass of the draft over it.

Knows what is asked of the models and what a Trace says of itself; does not know
lookaheads, acceptance counts or groups. Results depend neither on batch size nor on the
order or the number of the prompts.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import fields, replace
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from numpy.typing import NDArray

from specfair.decoding import Decoding
from specfair.engine.columns import Sheet
from specfair.engine.lockstep import (
    Job,
    Progress,
    in_batches,
    read,
    write,
    write_and_read,
)
from specfair.errors import DataError, ModelError
from specfair.models.pair import Pair, encode
from specfair.texts.prompts import Prompt
from specfair.traces.trace import Header, Trace

_FIELDS = tuple(f.name for f in fields(Prompt))


def trace(
    pair: Pair,
    prompts: Sequence[Prompt],
    decoding: Decoding,
    *,
    progress: Progress | None = None,
    batch_tokens: int | None = None,
) -> Trace:
    """Let the target write after every prompt, and record what the draft makes of every
    token.
    """
    return trace_drafts(
        [pair], prompts, decoding, progress=progress, batch_tokens=batch_tokens
    )[0]


def trace_drafts(
    pairs: Sequence[Pair],
    prompts: Sequence[Prompt],
    decoding: Decoding,
    *,
    progress: Progress | None = None,
    batch_tokens: int | None = None,
) -> list[Trace]:
    """A Trace for each of several drafts of one target, which writes only once: a
    further draft costs only itself.
    """
    job = _job(pairs, prompts, decoding)
    in_batches(job, write_and_read, progress, batch_tokens)
    kept = job.sheets[0].within(job.sheets[0].lengths())
    return [
        sheet.finish(header(pair, prompts, decoding), kept)
        for pair, sheet in zip(pairs, job.sheets, strict=True)
    ]


def generate(
    pair: Pair, prompts: Sequence[Prompt], decoding: Decoding
) -> list[NDArray[np.int32]]:
    """The text alone, as `trace` has it: what the target costs by itself. Timed, so
    what does not fit raises.
    """
    job = _job([pair], prompts, decoding)
    in_batches(job, write, once=True)
    sheet = job.sheets[0]
    return [
        tokens[:n]
        for tokens, n in zip(sheet.columns["token"], sheet.lengths(), strict=True)
    ]


def rescore(
    pair: Pair,
    traced: Trace,
    *,
    progress: Progress | None = None,
    batch_tokens: int | None = None,
) -> Trace:
    """The same text of the same target, seen by another draft. One forward pass of each
    model, no generation.
    """
    if pair.target_fingerprint != traced.header.target_fingerprint:
        raise DataError(
            f"the trace was written by {traced.header.target!r}, the pair's target "
            f"{pair.target_name!r} "
            "has other weights; only the draft may change. Trace again."
        )
    job = _job([pair], traced.prompts, traced.header.decoding)
    sheet = job.sheets[0]
    kept = sheet.within(traced.lengths)
    sheet.columns["token"][kept] = traced["token"]
    in_batches(job, read, progress, batch_tokens)
    new = sheet.finish(
        replace(
            traced.header,
            draft=pair.draft_name,
            draft_fingerprint=pair.draft_fingerprint,
            cost_ratio=None,
        ),
        kept,
    )
    same = {
        name: traced.columns[name]
        for name in ("token", "target_prob", "target_entropy", "margin")
    }
    return replace(new, columns={**new.columns, **same})


def check_decoding(pair: Pair, decoding: Decoding) -> None:
    """Refuse a model whose texts would never end."""
    if not pair.eos and not decoding.ignore_eos:
        raise ModelError(
            f"model {pair.target_name!r} declares no end-of-text token; without one "
            "texts end only with the budget. "
            "Set eos_token_id in its generation_config, or ignore_eos = true."
        )


def header(pair: Pair, prompts: Sequence[Prompt], decoding: Decoding) -> Header:
    """What the trace of these prompts by this pair says of itself. A prompt set brings
    its own name and fingerprint.
    """
    return Header(
        target=pair.target_name,
        draft=pair.draft_name,
        target_fingerprint=pair.target_fingerprint,
        draft_fingerprint=pair.draft_fingerprint,
        tokenizer_fingerprint=pair.tokenizer_fingerprint,
        prompts=getattr(prompts, "name", "prompts"),
        prompts_fingerprint=getattr(prompts, "fingerprint", None)
        or _fingerprint(prompts),
        decoding=decoding,
        dtype=str(pair.dtype).removeprefix("torch."),
        device=pair.device.type,
        eos=() if decoding.ignore_eos else pair.eos,
        versions=_versions(),
    )


def _fingerprint(prompts: Sequence[Prompt]) -> str:
    plain = [[getattr(prompt, name) for name in _FIELDS] for prompt in prompts]
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()


def _versions() -> dict[str, str]:
    found = {}
    for name in ("specfair", "torch", "transformers"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # run from a checkout that is not installed
            found[name] = "unknown"
    return found


def _job(pairs: Sequence[Pair], prompts: Sequence[Prompt], decoding: Decoding) -> Job:
    check_decoding(pairs[0], decoding)
    if len({(p.target_fingerprint, p.n_vocab) for p in pairs}) != 1:
        names = ", ".join(f"{p.target_name!r} with {p.n_vocab} tokens" for p in pairs)
        raise DataError(
            "drafts are traced together for one target; these pairs have "
            f"{names}. Trace them one by one."
        )
    ids, _ = encode(pairs[0], prompts, decoding.max_new_tokens)
    eos = () if decoding.ignore_eos else pairs[0].eos
    return Job(pairs, ids, [Sheet(prompts, decoding, eos) for _ in pairs], decoding)
