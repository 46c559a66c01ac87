"""A draft with a tokenizer of its own: which of its tokens are tokens of the target's.

Two tokens are twins where they are written alike, the mark of a space aside. The draft
proposes twins only, and reads a token without one by its text. Knows vocabularies; does
not know how anything is proposed.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from specfair.errors import ModelError


@dataclass(frozen=True, slots=True)
class Translated:
    """The draft, and both ways to write."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    of: PreTrainedTokenizerBase  # the target's
    twins: Mapping[int, int]  # the target's tokens to the draft's

    @property
    def reach(self) -> Collection[int]:
        """The target's tokens that it can propose."""
        return self.twins.keys()

    def piece(self, token: int) -> list[int]:
        """The draft's tokens for one of the target's."""
        twin = self.twins.get(token)
        return [twin] if twin is not None else self.written([token]) or [self._odd]

    def written(self, tokens: Sequence[int]) -> list[int]:
        """The draft's tokens for a text of the target's."""
        text = self.of.decode(list(tokens), skip_special_tokens=True)
        encoded: Any = self.tokenizer(text, add_special_tokens=False, verbose=False)
        return list(encoded["input_ids"])

    def aligned(self, tokens: Sequence[int]) -> list[list[int]]:
        """The draft's tokens for a prompt as a whole, all of them at its last token:
        nothing is proposed before.
        """
        return [[] for _ in tokens[1:]] + [self.written(tokens) or [self._odd]]

    @property
    def _odd(self) -> int:
        """What stands for a token that has no text."""
        for token in (self.tokenizer.unk_token_id, self.tokenizer.eos_token_id):
            if token is not None:
                return int(token)
        return 0


def translated(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    of: PreTrainedTokenizerBase,
    *,
    names: tuple[str, str],
) -> Translated:
    """Refused where the vocabularies have nothing in common."""
    own, mark = of.get_vocab(), _space(of)
    theirs = {
        _marked(token, _space(tokenizer), mark): number
        for token, number in tokenizer.get_vocab().items()
    }
    twins = {number: theirs[token] for token, number in own.items() if token in theirs}
    if not twins:
        raise ModelError(
            f"draft {names[1]!r} and target {names[0]!r} have 0 tokens in common; a "
            "draft with another tokenizer proposes those alone. Choose another draft."
        )
    return Translated(model, tokenizer, of, twins)


def _space(tokenizer: PreTrainedTokenizerBase) -> str:
    """How a token begins that stands behind a space."""
    encoded: Any = tokenizer(" ", add_special_tokens=False, verbose=False)
    tokens: Any = tokenizer.convert_ids_to_tokens(encoded["input_ids"][:1])
    return str(tokens[0][0]) if tokens else " "


def _marked(token: str, mark: str, wanted: str) -> str:
    return wanted + token[1:] if token.startswith(mark) else token
