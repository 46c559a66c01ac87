"""Token ids as text, without torch: by a tokenizer's rules, kept once it was loaded.

Knows how to tell whether the rules alone write what the tokenizer writes. Does not know
models, nor where rules are kept.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from tokenizers import Tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Decode: TypeAlias = Callable[[Sequence[int]], str]

# what some tokenizers tidy up after their rules
_TIDIED = "It 's so , do n't . Is it ? I 'm ; we 've ( seen ) !"


def rules(tokenizer: "PreTrainedTokenizerBase") -> str:
    """Its rules as JSON; nothing where they alone would write another text."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return ""
    ids = tokenizer(_TIDIED, verbose=False)["input_ids"]
    if tokenizer.decode(ids) != backend.decode(ids, skip_special_tokens=False):
        return ""
    return str(backend.to_str())


def decoder(by: str, folder: Path) -> Decode:
    """Ids to text by these rules, or by the tokenizer in the folder where there are
    none.
    """
    if not by:
        from transformers import AutoTokenizer

        whole = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        return lambda ids: str(whole.decode(list(ids)))
    backend = Tokenizer.from_str(by)
    return lambda ids: str(backend.decode(list(ids), skip_special_tokens=False))
