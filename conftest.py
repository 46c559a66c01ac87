"""Crosses the fairness tests with datasets and groups: `-k imdb` and `-k "imdb and
queer"` mean what they say.
"""

import pytest

from specfair.plugin import cases


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give every test that asks for a dataset, a group or a lookahead one case for
    each.
    """
    cases(metafunc)
