"""How models are tuned: one recipe, its keys with their limits, and which of them apply
to whom unless somebody says otherwise.

Knows names, numbers and their limits; loads nothing. What a loss or a way of drawing
texts computes is known to `objectives` and `turns`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from specfair.errors import UsageError, unknown
from specfair.typed import broken_rule, read_option

# what a recipe is called -> what it does, in a sentence
NAMES: Mapping[str, str] = {
    "clm": "next tokens of the texts as they are",
    "distill": "the draft learns the target's distributions, texts as they come",
    "balanced": "distill, every group as often as any other",
    "group_dro": "balanced, each group's loss weighted by exp(eta x what it has lost)",
    "scdf": "our reading of s-CDF (arXiv 2510.02128, which has no public code): "
    "balanced, each group's cross-entropy weighted by its distance to the lowest",
    "counterfactual": "balanced, prompts with another group's identity put in",
    "fairspec": "half KL and half -log alpha, groups drawn by exp(tau x (1 - alpha))",
}
ALONE = ("clm", "distill")  # these need no groups, so that a corpus will do
LOSSES = ("fkl", "rkl", "jsd", "tvd", "lk", "half")
KEYS = "a recipe's name, then KEY=VALUE, by commas: fairspec,max_steps=400"


def _key(default: Any, text: str, **rule: Any) -> Any:
    return field(default=default, metadata={"help": text} | rule)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How models are tuned. The defaults are the original study's, for models of
    GPT-2's size and up.
    """

    name: str = _key("clm", "which recipe", choices=tuple(NAMES))
    models: str = _key("both", "tuned", choices=("both", "target", "draft"))
    loss: str = _key("fkl", "between target and draft", choices=LOSSES)
    text: str = _key(
        "given",
        "the texts given, or how target or draft go on from their beginnings",
        choices=("given", "target", "draft"),
    )
    epochs: float = _key(1.0, "passes over the texts", above=0)
    max_steps: int = _key(0, "steps, in the place of epochs", least=0)
    batch_size: int = _key(8, "texts of a step, for each device", least=1)
    accumulation: int = _key(32, "batches of a step", least=1)
    block: int = _key(512, "tokens that a corpus is cut into", least=2)
    learning_rate: float = _key(5e-5, "at its highest", above=0)
    schedule: str = _key(
        "constant", "of it", choices=("constant", "linear", "cosine", "inverse_sqrt")
    )
    warmup: float = _key(0.0, "share of the steps in which it rises", least=0, most=0.9)
    weight_decay: float = _key(0.0, "of AdamW", least=0)
    precision: str = _key(
        "auto",
        "bfloat16 where a GPU has it, weights always in float32",
        choices=("auto", "float32", "bfloat16", "float16"),
    )
    gradient_checkpointing: bool = _key(False, "less memory, more time")
    lora: int = _key(0, "rank of adapters trained in the weights' place", least=0)
    texts: int = _key(4, "the target writes after each mending prompt", least=1)
    general: float = _key(
        0.2, "share of texts after no prompt at all", least=0, most=0.9
    )
    tau: float = _key(150.0, "of fairspec: how much it looks at slow groups", least=0)
    floor: float = _key(
        0.3, "of fairspec: share drawn from all groups alike", least=0, most=1
    )
    eta: float = _key(0.1, "of group_dro: how fast weights follow losses", least=0)
    seed: int = _key(0, "of everything that is drawn")
    checkpoints: int = _key(0, "saved along the way, evenly spaced", least=0)

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise UsageError(unknown("recipe", self.name, NAMES))
        for key in fields(self):
            value, rules = getattr(self, key.name), key.metadata
            rule = broken_rule(key, value)
            if "above" in rules and not rules["above"] < value < math.inf:
                rule = f"it is above {rules['above']} ({rules['help']})"
            if "most" in rules and not value <= rules["most"]:
                rule = f"it is at most {rules['most']} ({rules['help']})"
            if rule:
                raise UsageError(
                    f"recipe: {key.name} = {value!r} does not fit: {rule}. Change it."
                )
        if self.name != "clm" and self.models != "draft":
            raise UsageError(
                f"recipe: models = {self.models!r} does not fit {self.name!r}, whose "
                "target stays as it is to be learned from. Set models = 'draft'."
            )

    @property
    def n_texts(self) -> int:
        """Of one step, on one device."""
        return self.batch_size * self.accumulation

    @property
    def roles(self) -> tuple[str, ...]:
        """Which models of the pair are tuned."""
        return ("target", "draft") if self.models == "both" else (self.models,)

    def n_steps(self, n_texts: int, n_devices: int = 1) -> int:
        """Steps over so many texts."""
        each = self.n_texts * n_devices
        return self.max_steps or max(1, math.ceil(self.epochs * n_texts / each))


# what differs from the defaults: where a draft learns from its target ...
_LEARNING: dict[str, Any] = {
    "models": "draft",
    "epochs": 3.0,
    "accumulation": 4,
    "learning_rate": 2e-4,
    "schedule": "cosine",
}
# ... and for the shipped pair, first where both learn a corpus
_SMALL: dict[str, Any] = {
    "max_steps": 32,
    "batch_size": 16,
    "accumulation": 1,
    "block": 128,
    "learning_rate": 1e-3,
    "schedule": "cosine",
}
_SMALL_LEARNING = {
    "max_steps": 200,
    "batch_size": 40,
    "learning_rate": 2e-3,
    "texts": 8,
}
_ELSEWHERE = ("seed", "checkpoints")  # options of their own


def as_words(value: Any) -> Any:
    """A table of keys as the words that say the same on a command line."""
    if not isinstance(value, Mapping):
        return value
    return tuple(f"{name}={entry}" for name, entry in value.items())


def recipe_of(
    said: Sequence[str], *, usual: str = "clm", small: bool = False, **about: int
) -> Recipe:
    """The recipe that was said, such as ("distill", "loss=rkl"); the rest is usual.

    >>> recipe_of(["fairspec", "tau=80"]).models, recipe_of([]).learning_rate
    ('draft', 5e-05)
    """
    keys = {key.name: key for key in fields(Recipe) if key.name not in _ELSEWHERE}
    asked: dict[str, Any] = {"name": usual}
    for word in said:
        name, equals, value = (part.strip() for part in word.partition("="))
        name, value = (name, value) if equals else ("name", name)
        if name not in keys:
            raise UsageError(unknown("key of a recipe", name, keys))
        truth = {"true": True, "false": False}.get(value.lower(), value)
        is_truth = isinstance(keys[name].default, bool)
        asked[name] = read_option(keys[name], truth if is_truth else value)
    base = dict(_SMALL) if small else {}
    if asked["name"] != "clm":
        base |= _LEARNING | (base | _SMALL_LEARNING if small else {})
    if asked["name"] == "fairspec":
        base["loss"] = "half"
    return Recipe(**base | about | asked)
