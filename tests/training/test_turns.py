"""Which text comes next."""

from collections import Counter

import numpy as np
import pytest

from specfair.training.recipe import recipe_of
from specfair.training.turns import KEEP, NOBODY, Turns

# 60 of a, 20 of b, 20 after no prompt
GROUPS = np.array([0] * 60 + [1] * 20 + [NOBODY] * 20)
ALPHAS = np.array([0.95, 0.9])


def drawn(*said: str, n: int = 20_000) -> dict[int, float]:
    """Shares of the groups; a standard error of a share is at most 0.0036."""
    turns = Turns(recipe_of(said), GROUPS, ALPHAS, n)
    assert len(turns) == n
    found = Counter(GROUPS[i] for i in turns)
    return {int(group): count / n for group, count in found.items()}


@pytest.mark.parametrize(
    ("said", "shares"),
    [
        ("distill", (0.6, 0.2)),
        ("balanced", (0.4, 0.4)),
        ("group_dro", (0.4, 0.4)),
        ("fairspec,tau=0", (0.4, 0.4)),
        ("fairspec,tau=40,floor=0", (0.8 / (1 + np.e**2), 0.8 / (1 + np.e**-2))),
        ("fairspec,tau=40,floor=1", (0.4, 0.4)),
    ],
)
def test_shares_of_the_draws(said: str, shares: tuple[float, float]) -> None:
    """Five standard errors: wrong once in a million."""
    found = drawn(*said.split(","))
    assert found[NOBODY] == pytest.approx(0.2, abs=0.018)
    assert (found[0], found[1]) == pytest.approx(shares, abs=0.018)


def test_within_a_group_every_text_is_as_likely() -> None:
    turns = Turns(recipe_of(["balanced"]), GROUPS, ALPHAS, 24_000)
    counts = np.bincount(list(turns), minlength=len(GROUPS))
    for whose in (0, 1, NOBODY):
        own = counts[whose == GROUPS]
        assert np.abs(own - own.mean()).max() < 5 * np.sqrt(own.mean())


def test_the_mean_moves_for_groups_that_were_seen() -> None:
    turns = Turns(recipe_of(["fairspec"]), GROUPS, ALPHAS, 1)
    before = turns.shares(turns.alphas)[1]
    turns.saw(np.array([0.0, 0.5]), np.array([0.0, 3.0]))
    assert turns.alphas.tolist() == pytest.approx([0.95, KEEP * 0.9 + 0.5 * (1 - KEEP)])
    assert turns.shares(turns.alphas)[1] > before


@pytest.mark.parametrize("ahead", [0, 20])
def test_who_skips_what_was_drawn_goes_on_where_it_stopped(ahead: int) -> None:
    """Also where some of it was drawn before the means moved, as loaders do."""
    recipe = recipe_of(["fairspec", "tau=40"])
    whole, first, second = (Turns(recipe, GROUPS, ALPHAS, 100) for _ in range(3))
    moved = np.array([0.5, 0.99]), np.ones(2)
    expected = []
    for n, text in enumerate(whole, 1):
        expected.append(text)
        if n == 50 + ahead:
            whole.saw(*moved)
    order = iter(first)
    assert [next(order) for _ in range(50 + ahead)] == expected[: 50 + ahead]
    first.saw(*moved)
    second.resume(first.state)
    assert list(second)[50:] == expected[50:]
    unmoved = list(Turns(recipe, GROUPS, ALPHAS, 100))
    assert unmoved[50 + ahead :] != expected[50 + ahead :]
