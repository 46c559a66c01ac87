"""Third models that read what was written: a classifier of texts, or a language model
that finds them more or less likely.

Knows transformers' two kinds of model and how a text is given to each. Does not know
pairs, groups, or what a label means.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from specfair.errors import ModelError, UsageError, unknown
from specfair.models.devices import device_of, dtype_of, fits
from specfair.models.folders import Source, locate
from specfair.models.identity import Loading
from specfair.models.load import model_of, quiet, tokenizer_of
from specfair.models.pair import text_config

Told: TypeAlias = tuple[str, str]  # a prompt and the text behind it
# of each text a sum and what it is a sum over
Read: TypeAlias = Callable[[Sequence[Told]], list[tuple[float, float]]]

_AT_ONCE = 64  # texts


def judge(name: str, device: str, dtype: str) -> Read:
    """The probability of a label, by a classifier "MODEL#LABEL"."""
    place, _, label = name.partition("#")
    opened = _opened(AutoModelForSequenceClassification, place, device, dtype=dtype)
    labels = {str(v): int(k) for k, v in opened[0].config.id2label.items()}
    if not label and len(labels) == 1:
        label = next(iter(labels))
    if label not in labels:
        raise UsageError(unknown(f"label of judge {place!r}, as #LABEL", label, labels))
    return partial(_in_batches, opened, partial(_label, labels[label]))


def reader(name: str, device: str, dtype: str) -> Read:
    """Negative log probabilities of the tokens behind the prompt, by a language
    model.
    """
    opened = _opened(AutoModelForCausalLM, name, device, dtype=dtype)
    if not opened[1].is_fast:
        raise ModelError(
            f"model {name!r} has a tokenizer that does not say where tokens lie in a "
            "text. Take a model with a tokenizer.json."
        )
    return partial(_in_batches, opened, _surprise)


def _opened(auto: Any, name: str, device: str, *, dtype: str) -> tuple[Any, Any]:
    source, on = Source(name), device_of(device)
    folder = str(locate(source, "model"))
    with quiet():
        tokenizer: Any = tokenizer_of(folder, name)
        model: Any = model_of(
            auto, folder, source, (on, dtype_of(dtype, on)), Loading()
        )
    if tokenizer.pad_token is None:  # what stands there is masked
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)
    if model.config.get_text_config().pad_token_id is None:
        model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
        model.config.pad_token_id = tokenizer.pad_token_id
    return model, tokenizer


@torch.inference_mode()
def _in_batches(
    opened: tuple[Any, Any],
    read: Callable[[Any, Any, Sequence[Told]], Tensor],
    told: Sequence[Told],
) -> list[tuple[float, float]]:
    """Longest first; where memory runs out, half as many from there on."""
    order = sorted(range(len(told)), key=lambda i: -sum(map(len, told[i])))
    found: dict[int, tuple[float, float]] = {}
    n, done = _AT_ONCE, 0

    def step(places: Sequence[int]) -> None:
        rows = read(*opened, [told[i] for i in places]).double().cpu().tolist()
        found.update(zip(places, map(tuple, rows), strict=True))

    while done < len(order):
        places = order[done : done + n]
        if fits(partial(step, places)):
            done += len(places)
        elif n == 1:
            raise ModelError(
                f"a text of {sum(map(len, told[places[0]])):,} characters does not fit "
                "into memory beside the model that reads it. Choose a smaller one."
            )
        else:
            n = max(1, n // 2)
    return [found[i] for i in range(len(told))]


def _label(place: int, model: Any, tokenizer: Any, told: Sequence[Told]) -> Tensor:
    """As transformers' own pipeline: each label by itself where a text may have several
    or there is but one, else one of all.
    """
    texts = [prompt + text for prompt, text in told]
    given = tokenizer(
        texts,
        return_tensors="pt",
        padding=True,
        padding_side="right",
        truncation=True,
        max_length=_context(model, tokenizer),
    )
    logits = model(**given.to(model.device)).logits.float()
    several = model.config.problem_type == "multi_label_classification"
    alone = several or logits.shape[-1] == 1
    shares = logits.sigmoid() if alone else logits.softmax(-1)
    return torch.stack([shares[:, place], torch.ones(len(told)).to(shares)], -1)


def _surprise(model: Any, tokenizer: Any, told: Sequence[Told]) -> Tensor:
    """A token counts if it ends behind the prompt; what came before the first token
    is not known, so it never does.
    """
    texts = [prompt + text for prompt, text in told]
    given = tokenizer(
        texts,
        return_tensors="pt",
        padding=True,
        padding_side="right",
        return_offsets_mapping=True,
    )
    ends = given.pop("offset_mapping")[:, :, 1]
    begins = torch.tensor([[len(prompt)] for prompt, _ in told])
    counted = ((ends > begins) & (given["attention_mask"] == 1))[:, 1:]
    ids, cut = given["input_ids"], _context(model, tokenizer)
    if ids.shape[1] > cut:
        raise UsageError(
            f"a text of {ids.shape[1]:,} tokens does not fit the {cut:,} of the model "
            "that finds its perplexity. Take another, or lower max_new_tokens."
        )
    given = given.to(model.device)
    logits = model(**given).logits.float()[:, :-1].log_softmax(-1)
    surprise = -logits.gather(-1, given["input_ids"][:, 1:, None])[..., 0]
    counted = counted.to(surprise.device)
    return torch.stack(
        [surprise.where(counted, 0.0).sum(-1), counted.sum(-1).to(surprise)], -1
    )


def _context(model: Any, tokenizer: Any) -> int:
    """Tokens that fit; RoBERTa's positions begin behind its padding."""
    most = getattr(text_config(model), "max_position_embeddings", None)
    return int(min(most or 1 << 30, tokenizer.model_max_length))
