"""The target's texts as arrays, on disk and in batches."""

from pathlib import Path

import numpy as np
import pytest

from specfair.errors import DataError, StoreError
from specfair.training.pool import Pool


def pool(**changes: object) -> Pool:
    """Two texts of group a (of 1 and 3 tokens) and one after no prompt."""
    kept = {
        "groups": np.array(["a"]),
        "alphas": np.array([0.5]),
        "group": np.array([0, 0, -1]),
        "tokens": np.arange(15, dtype=np.int32).reshape(3, 5),
        "starts": np.array([2, 1, 1]),
        "lengths": np.array([1, 3, 2]),
        "ids": np.zeros((3, 3, 2), np.int32),
        "logs": np.full((3, 3, 2), -1, np.float16),
    }
    return Pool(**kept | changes)  # type: ignore[arg-type]  # as they are named


def test_what_is_kept_is_read(tmp_path: Path) -> None:
    pool().save(tmp_path / "abc")
    again = Pool.read(tmp_path / "abc")
    assert again.fingerprint == "abc"
    assert again.tokens.dtype == np.int32
    np.testing.assert_array_equal(again.tokens, pool().tokens)
    assert len(again) == 3


@pytest.mark.parametrize("content", [b"", b"PK", b"\x80\x04."])
def test_what_is_no_pool_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "abc").write_bytes(content)
    with pytest.raises(StoreError, match="pool 'abc' cannot be read"):
        Pool.read(tmp_path / "abc")


def test_a_batch_is_as_wide_as_its_longest_text() -> None:
    found = pool().batch([0, 2])
    assert found["input_ids"].tolist() == [[0, 1, 2], [10, 11, 12]]
    assert found["attention_mask"].all()
    # the first token of a text is predicted from the last of its prompt
    assert found["places"].tolist() == [[1, 2], [0, 1]]
    assert found["kept"].tolist() == [[True, False], [True, True]]
    assert found["logs"].shape == (2, 2, 2)
    whole = pool().batch([0, 1])
    assert whole["attention_mask"].tolist() == [[True] * 3 + [False], [True] * 4]


def test_a_group_without_texts_is_named() -> None:
    with pytest.raises(DataError, match=r"'b' has 0 texts to mend the draft on"):
        pool(groups=np.array(["a", "b"]), alphas=np.array([0.5, 0.5]))
    with pytest.raises(DataError, match="every group has 0 texts"):
        pool(groups=np.array([], dtype=np.str_), alphas=np.array([]))
