"""A measured trace answers for every metric, once drawn, under every lookahead, by
replay or live.
"""

import pytest

from specfair.audit.audit import Audit
from specfair.decoding import Lookahead


def test_groups_are_drawn_once(measured: Audit) -> None:
    base = measured.base
    assert base.groups("alpha") is base.alpha
    assert base.groups("acceptance_rate") is base.groups(
        "acceptance_rate", base.lookahead
    )
    assert base.groups("acceptance_rate", Lookahead(1)) is not base.groups(
        "acceptance_rate"
    )
    assert base.sample("alpha") is base.alpha.sample


def test_a_misspelt_metric_is_named(measured: Audit) -> None:
    with pytest.raises(AttributeError, match="Did you mean 'kl'"):
        _ = measured.base.kll
