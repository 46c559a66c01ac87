"""Counts of live decoding, in place of the replay, as they are kept on disk.

Knows a Tally's names; does not know how it was counted.
"""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from specfair.errors import StoreError
from specfair.traces.tally import Tally


def save(tally: Tally, path: Path) -> None:
    """Counts by prompt."""
    plain = {name: counts.tolist() for name, counts in asdict(tally).items()}
    path.write_text(json.dumps(plain), encoding="utf-8")


def load(path: Path) -> Tally:
    """Read what `save` wrote."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return Tally(**{n: np.array(c, dtype=np.float64) for n, c in stored.items()})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise StoreError(
            f"counts {path.name!r} cannot be read ({type(error).__name__}). They are "
            "made again."
        ) from error
