"""How text is decoded, and how far a draft writes ahead: values that refuse what has no
meaning.

Knows rules and words, and loads nothing; not how either is done.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from specfair.errors import UsageError, unknown

Schedule: TypeAlias = Literal[
    "constant", "heuristic", "heuristic_transient", "confidence", "pmin", "adaptive"
]
# what is proposed where the target samples, unless it is told otherwise
PROPOSALS: Mapping[str, str] = {
    "transformers": "sampled",
    "vllm": "greedy",
    "sglang": "greedy",
    "llama.cpp": "greedy",
}
# ways of counting rounds (see `traces.counting`), and what each leaves out or adds
COUNTINGS: Mapping[str, str] = {
    "canonical": "",
    "served": "counted as servers do: from a text's second token on, without the pass "
    "over its prompt",
    "as_deployed": "counted as transformers does: in the order of the prompts, with "
    "what is drafted beyond a text's end",
}
_LOOKAHEAD = re.compile(r"(\w+)-([0-9]{1,9})(?:@(0?\.[0-9]{1,4}))?")
_DOUBTING: tuple[Schedule, ...] = ("confidence", "pmin", "adaptive")


@dataclass(frozen=True, slots=True)
class Decoding:
    """How text is decoded. Temperature 0 is greedy; top_k 0 and top_p 1 switch those
    filters off.

    >>> str(Decoding(25, temperature=0.7, top_k=40))
    'temperature 0.7, top_k 40, at most 25 new tokens'
    """

    max_new_tokens: int = 20
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0
    ignore_eos: bool = False

    def __post_init__(self) -> None:
        rules = (
            ("max_new_tokens", self.max_new_tokens >= 1, "at least 1"),
            (
                "temperature",
                0 <= self.temperature < float("inf"),
                "0 for greedy, or a positive number",
            ),
            ("top_k", self.top_k >= 0, "0 for off, or a positive number"),
            ("top_p", 0 < self.top_p <= 1, "above 0 and at most 1, which is off"),
        )
        for name, fits, rule in rules:
            if not fits:
                raise UsageError(
                    f"{name} = {getattr(self, name)} does not fit: it must be {rule}."
                )

    @property
    def greedy(self) -> bool:
        return self.temperature == 0.0

    @property
    def plain(self) -> bool:
        """Whether what is drawn from is the model's own distribution."""
        return self.temperature == 1.0 and self.top_k == 0 and self.top_p == 1.0

    def __str__(self) -> str:
        said = ["greedy" if self.greedy else f"temperature {self.temperature:g}"]
        if self.top_k:
            said.append(f"top_k {self.top_k}")
        if self.top_p < 1:
            said.append(f"top_p {self.top_p:g}")
        budget = "exactly" if self.ignore_eos else "at most"
        return ", ".join([*said, f"{budget} {self.max_new_tokens} new tokens"])


@dataclass(frozen=True, slots=True)
class Lookahead:
    """How many tokens a round drafts. heuristic: start at n, +2 after a full match,
    else -1, never below 1; heuristic_transient forgets between prompts (canonical
    counting always does). The others stop early, n at most: at a proposal whose draft
    probability is below the threshold, which is still proposed (confidence: what
    transformers does), or not (pmin: llama.cpp). adaptive moves the threshold after
    each round of a prompt, as transformers does where scikit-learn is installed.

    >>> Lookahead.parse("heuristic-5") == Lookahead(5, "heuristic")
    True
    >>> str(Lookahead(20, "confidence", 0.4))
    'confidence-20@0.4'
    """

    n: int = 5
    schedule: Schedule = "constant"
    threshold: float = 0.0

    def __post_init__(self) -> None:
        if self.schedule not in get_args(Schedule):
            raise UsageError(unknown("schedule", self.schedule, get_args(Schedule)))
        if self.n < 1:
            raise UsageError(
                f"lookahead {self}: {self.n} tokens a round; a round drafts at "
                "least 1. Use 1 or more."
            )
        if self.doubts != (0 < self.threshold < 1):
            raise UsageError(
                f"lookahead {self.schedule}-{self.n}@{self.threshold:g}: "
                f"{', '.join(_DOUBTING)} have a threshold between 0 and 1, the others "
                "none. Write confidence-20@0.4 or constant-5."
            )

    def __str__(self) -> str:
        at = f"@{self.threshold:g}" if self.threshold else ""
        return f"{self.schedule}-{self.n}{at}"

    @classmethod
    def parse(cls, text: str) -> "Lookahead":
        """The lookahead that prints as this text."""
        # longer numbers are no lookahead, and far longer ones no int either
        found = _LOOKAHEAD.fullmatch(text.strip())
        if not found:
            raise UsageError(
                f"lookahead {text!r}; it must be a schedule and a number. "
                "Write constant-5, heuristic-5 or confidence-20@0.4."
            )
        schedule, n, threshold = found.groups()
        return cls(int(n), schedule, float(threshold or 0))  # type: ignore[arg-type]  # __post_init__ checks it

    @property
    def adapts(self) -> bool:
        """Whether a round's length depends on how the rounds before it went."""
        return self.schedule in ("heuristic", "heuristic_transient")

    @property
    def doubts(self) -> bool:
        """Whether a round ends where the draft is not sure."""
        return self.schedule in _DOUBTING

    @property
    def order(self) -> tuple[int, int]:
        """Where it stands among others: constants by number, then the schedules."""
        return get_args(Schedule).index(self.schedule), self.n
