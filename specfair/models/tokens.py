"""Token ids as text, without transformers and without torch: the rules of a tokenizer,
kept once it was loaded.

Knows how to tell whether the rules alone write what the tokenizer writes. Does not know
models, nor where rules are kept.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from tokenizers import Tokenizer

from specfair.errors import StoreError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Decode: TypeAlias = Callable[[Sequence[int]], str]

# what some tokenizers tidy up after their rules
_TIDIED = "It 's so , do n't . Is it ? I 'm ; we 've ( seen ) !"


def save(tokenizer: "PreTrainedTokenizerBase", path: Path) -> None:
    """Keep its rules; nothing where they alone would write another text."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    rules = ""
    if backend is not None:
        ids = tokenizer(_TIDIED, verbose=False)["input_ids"]
        if tokenizer.decode(ids) == backend.decode(ids, skip_special_tokens=False):
            rules = backend.to_str()
    path.write_text(rules, encoding="utf-8")


def load(path: Path) -> Decode | None:
    """Ids to text by the rules `save` kept; None where it kept none."""
    try:
        rules = path.read_text(encoding="utf-8")
        if not rules:
            return None
        backend = Tokenizer.from_str(rules)
    # the library beneath raises bare Exceptions
    except Exception as error:
        raise StoreError(
            f"tokenizer {path.name!r} cannot be read ({type(error).__name__}). It is "
            "kept again."
        ) from error
    return lambda ids: str(backend.decode(list(ids), skip_special_tokens=False))
