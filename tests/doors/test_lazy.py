"""What is named is what is loaded."""

import pytest

from specfair import errors
from specfair.doors.lazy import resolve


def test_a_place_is_a_module_and_a_name() -> None:
    assert resolve("errors:plain") is errors.plain
    with pytest.raises(AttributeError):
        resolve("errors:absent")
