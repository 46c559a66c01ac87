"""Samples written out by hand."""

import numpy as np

from specfair.stats import Sample


def made(*rows: tuple[float, float, str, str], templates: str = "") -> Sample:
    """A sample of (numerator, denominator, group, cluster); a letter of `templates` for
    each row, or none.
    """
    n, d, group, cluster = (np.array(c) for c in zip(*rows, strict=True))
    return Sample(
        n.astype(float),
        d.astype(float),
        np.array([f"p{i}" for i in range(len(rows))]),
        group,
        cluster,
        np.array(list(templates) or [""] * len(rows)),
    )
