"""A pool: texts that the target wrote, by group, with its most probable tokens at every
position, so that a draft can learn from them without another call of the target.

Knows arrays and how they reach disk. All that is not among the most probable is one
entry more, so that distances come out a little too small and never wrong in sign; with
a vocabulary no larger than N_TOP they are exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specfair.errors import DataError, StoreError

N_TOP = 128  # tokens a position


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Texts in one table, those after no prompt among them."""

    groups: NDArray[np.str_]  # their names, (n_groups,)
    alphas: NDArray[np.float64]  # of the draft as it was, (n_groups,)
    group: NDArray[np.int64]  # (n_texts,); NOBODY after no prompt
    tokens: NDArray[np.int32]  # prompts with their texts, (n_texts, longest)
    starts: NDArray[np.int64]  # where the text begins, (n_texts,)
    lengths: NDArray[np.int64]  # of the text alone, (n_texts,)
    ids: NDArray[np.int32]  # of the most probable tokens (n_texts, longest text, k)
    logs: NDArray[np.float16]  # of their probabilities, alike

    name: str = "pool"
    source: str = "the target's own texts"
    fingerprint: str = ""

    def __post_init__(self) -> None:
        lacking = sorted(set(range(len(self.groups))) - set(self.group.tolist()))
        if not len(self.groups) or lacking:
            which = repr(str(self.groups[lacking[0]])) if lacking else "every group"
            raise DataError(
                f"{which} has 0 texts to mend the draft on; at least 1 is needed. "
                "Give it prompts of more identities or templates."
            )

    def __len__(self) -> int:
        return len(self.group)

    def __getitem__(self, index: int) -> int:
        """The text's own number: texts are put together by `batch`."""
        return index

    def save(self, path: Path) -> None:
        """Plain arrays, without pickle."""
        arrays = {f.name: getattr(self, f.name) for f in _ARRAYS}
        with path.open("wb") as file:
            np.savez(file, **arrays)

    @classmethod
    def read(cls, path: Path) -> "Pool":
        """What `save` wrote, named after where it lies; a StoreError on anything
        else.
        """
        try:
            with np.load(path, allow_pickle=False) as found:
                arrays: dict[str, Any] = {f.name: found[f.name] for f in _ARRAYS}
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise StoreError(
                f"pool {path.name!r} cannot be read ({type(error).__name__}); it must "
                "hold the target's texts. Remove it and run again."
            ) from error
        return cls(**arrays, fingerprint=path.name)

    def batch(self, chosen: Sequence[int]) -> dict[str, NDArray[Any]]:
        """These texts, as wide as the longest of them (n, width); `places` are those
        that a token of the text is predicted from, `kept` those that are none of
        padding.
        """
        rows = np.array(chosen)
        starts, lengths = self.starts[rows], self.lengths[rows]
        width, longest = (starts + lengths).max(), lengths.max()
        steps = np.arange(longest)
        kept = steps < lengths[:, None]
        return {
            "input_ids": self.tokens[rows, :width].astype(np.int64),
            "attention_mask": np.arange(width) < (starts + lengths)[:, None],
            "places": np.minimum(starts[:, None] - 1 + steps, width - 1),
            "kept": kept,
            "group": self.group[rows],
            "starts": starts,
            "ids": self.ids[rows, :longest].astype(np.int64),
            "logs": self.logs[rows, :longest].astype(np.float32),
        }


_ARRAYS = tuple(
    f for f in fields(Pool) if f.name not in ("name", "source", "fingerprint")
)
