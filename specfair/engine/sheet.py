"""The table that is filled while models write and read.

Knows places and columns; does not know what is written into them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


class Sheet:
    """A table (n_prompts, max_new_tokens) for each column."""

    def __init__(self, shape: tuple[int, int], kinds: Mapping[str, type]) -> None:
        self.columns: dict[str, NDArray[Any]] = {
            name: np.zeros(shape, kind) for name, kind in kinds.items()
        }

    def write(self, where: tuple[Any, Any], values: Mapping[str, Tensor]) -> None:
        """Those of the values that it has a column for, at table[where], where =
        (prompts, positions).
        """
        for name in self.columns.keys() & values.keys():
            self.columns[name][where] = values[name].cpu().numpy()

    def kept(self, places: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
        """The columns of these places of the table alone, prompt by prompt."""
        return {name: table[places] for name, table in self.columns.items()}


def within(lengths: NDArray[np.int64], width: int) -> NDArray[np.bool_]:
    """The places of a table that lie in the first `lengths` of each row."""
    return np.arange(width) < lengths[:, None]
