"""transformers' Trainer with a recipe's loss and a recipe's order of texts; what steps,
schedules, devices, precision and checkpoints are about stays its own.

Knows which loss a recipe takes from a batch. Does not know where texts come from.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler, default_collate
from transformers import Trainer, TrainingArguments

from specfair.models.pair import Pair
from specfair.training import objectives
from specfair.training.pool import Pool
from specfair.training.recipe import Recipe
from specfair.training.teacher import blocks_as_texts, logs_at, written
from specfair.training.turns import Turns

_AS_IT_IS = ("clm", "given")  # the Trainer's own way


class Learning(Trainer):
    """A Trainer for one recipe. With `turns`, the texts are a pool's."""

    def __init__(
        self,
        model: Any,
        arguments: TrainingArguments,
        texts: Dataset[Any] | Pool,
        *,
        pair: Pair,
        recipe: Recipe,
        turns: Turns | None,
    ) -> None:
        self.pair, self.recipe, self.turns = pair, recipe, turns
        pool = texts if isinstance(texts, Pool) else None

        def together(some: list[Any]) -> dict[str, Any]:
            if pool is None:
                found: dict[str, Any] = default_collate(some)
                return found
            return {n: torch.from_numpy(v) for n, v in pool.batch(some).items()}

        super().__init__(model, arguments, data_collator=together, train_dataset=texts)
        if recipe.name != "clm":
            # a mean over each batch, which the Trainer divides by their number
            self.model_accepts_loss_kwargs = False

    def _get_train_sampler(self, *asked: Any) -> Sampler[int] | None:
        found: Sampler[int] | None = self.turns or super()._get_train_sampler(*asked)
        return found

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """The recipe's loss of one batch."""
        if "labels" in inputs and (self.recipe.name, self.recipe.text) == _AS_IT_IS:
            return super().compute_loss(
                model, inputs, return_outputs, num_items_in_batch
            )
        batch = inputs if "places" in inputs else blocks_as_texts(inputs["input_ids"])
        if self.recipe.text != "given":
            batch = self._written(batch)
        if self.recipe.name == "clm":
            return super().compute_loss(
                model, _labelled(batch), return_outputs, num_items_in_batch
            )
        draft = logs_at(model, batch, self.pair.n_vocab)
        if "logs" in batch:
            draft = objectives.coarse(draft, batch["ids"])
            target = with_rest(batch["logs"], draft.shape[-1])
        else:
            with torch.no_grad():
                target = logs_at(self.pair.target, batch, self.pair.n_vocab)
        loss = self._reduced(target, draft, batch)
        return (loss, {}) if return_outputs else loss

    def _written(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The batch with texts that target or draft write now, unless it holds them
        already.
        """
        if self.recipe.text == "target" and "logs" in batch:
            return dict(batch)
        own = self.accelerator.unwrap_model(self.model)
        writer = self.pair.target if self.recipe.text == "target" else own
        return written(writer, batch, self.pair.eos)

    def _reduced(
        self, target: Tensor, draft: Tensor, batch: Mapping[str, Tensor]
    ) -> Tensor:
        """One number of (texts, places, tokens): each text counts alike, and those
        after no prompt keep their share whatever becomes of the groups.
        """
        kept, name = batch["kept"], self.recipe.name
        losses = _by_text(objectives.LOSSES[self.recipe.loss](target, draft), kept)
        named = batch["group"] >= 0
        if self.turns is None:
            return losses.mean()
        if name == "fairspec":
            alphas = _by_text(objectives.alpha(target, draft).detach(), kept)
            means, counts = self._of_all(alphas[named], batch["group"][named])
            self.turns.saw(means.cpu().numpy(), counts.cpu().numpy())
        if name not in ("group_dro", "scdf"):
            return losses.mean()
        if name == "scdf":
            losses = losses + _by_text(objectives.entropy(target), kept)
        weighted = self._weighted(losses[named], batch["group"][named])
        rest = losses[~named].sum() / len(named)
        return weighted * named.sum() / len(named) + rest

    def _weighted(self, losses: Tensor, groups: Tensor) -> Tensor:
        """The groups' mean losses under the recipe's weights, which sum to 1."""
        turns = self.turns
        assert turns is not None  # only pools have groups
        own, there = objectives.group_means(losses, groups, len(turns.alphas))
        means, counts = self._of_all(losses.detach(), groups)
        if self.recipe.name == "scdf":
            weights = objectives.scdf(means, counts)
        else:
            old = torch.from_numpy(turns.weights).to(means)
            weights = objectives.risen(old, means, counts, self.recipe.eta)
            turns.weights = weights.cpu().double().numpy()
        weights = weights * (there > 0)
        return (weights * own).sum() / weights.sum().clamp(min=objectives.LEAST)

    def _of_all(self, values: Tensor, groups: Tensor) -> tuple[Tensor, Tensor]:
        """Means by group and counts, over all processes of the launch."""
        assert self.turns is not None  # as above
        n = len(self.turns.alphas)
        means, counts = objectives.group_means(values, groups, n)
        both = torch.stack([means * counts, counts])
        sums, counts = self.accelerator.reduce(both, reduction="sum")
        return sums / counts.clamp(min=1), counts


def _by_text(values: Tensor, kept: Tensor) -> Tensor:
    """Means (n_texts,) of values at places (n_texts, places) that are kept."""
    return (values * kept).sum(1) / kept.sum(1).clamp(min=1)


def with_rest(logs: Tensor, width: int) -> Tensor:
    """A pool's logarithms, with what is left for all other tokens behind them."""
    if logs.shape[-1] == width:
        return logs
    rest = (1 - logs.exp().sum(-1, keepdim=True)).clamp(min=objectives.LEAST)
    return torch.cat([logs, rest.log()], dim=-1)


def _labelled(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tokens, their mask, and those that are to be learned as labels."""
    tokens = batch["input_ids"]
    rows = torch.arange(len(tokens), device=tokens.device)[:, None]
    labels = torch.full_like(tokens, -100)
    ahead = (batch["places"] + 1).clamp(max=tokens.shape[1] - 1)
    kept = batch["kept"]
    rows = rows.expand_as(ahead)
    labels[rows[kept], ahead[kept]] = tokens[rows[kept], ahead[kept]]
    return {
        "input_ids": tokens,
        "attention_mask": batch["attention_mask"].long(),
        "labels": labels,
    }
