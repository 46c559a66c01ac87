"""Shared words differ, and none is the name of a dataset."""

from specfair import vocabulary
from specfair.vocabulary import DATASETS


def test_words_that_name_stages_are_no_datasets() -> None:
    words = {name: value for name, value in vars(vocabulary).items() if name.isupper()}
    assert len(set(words.values())) == len(words)
    assert not set(words.values()) & set(DATASETS)
