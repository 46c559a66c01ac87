"""The row of a stored run that says what mending a draft did.

Knows nothing of how it is filled or drawn.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MendingRow:
    """Groups' alphas before or after a draft was mended, on prompts that had no part in
    it, and what it cost.
    """

    recipe: str
    new: str  # in these prompts: "templates", "identities", "both"; "" is all of them
    decoding: str
    mean: float  # over groups
    minimum: float
    lowest_group: str
    gap: float
    low: float
    high: float
    ratio: float
    u_cross_entropy: float  # variances over groups
    u_kl: float
    u_alpha: float
    n_steps: int
    n_texts: int  # of the target, that the draft learned from
    n_target_calls: int
    seconds: float
