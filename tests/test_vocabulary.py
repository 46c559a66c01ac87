"""Shared words differ, and none is the name of a dataset."""

from specfair import vocabulary
from specfair.texts import corpora
from specfair.vocabulary import BASE, Stage


def test_words_that_name_stages_are_no_datasets() -> None:
    words = {
        name: value
        for name, value in vars(vocabulary).items()
        if isinstance(value, str) and name.isupper()
    }
    assert len(set(words.values())) == len(words)
    assert not set(words.values()) & set(corpora.NAMES)


def test_a_stage_is_named_by_a_word_or_given_itself() -> None:
    assert Stage.of("base") == Stage.of(BASE) == BASE
    assert Stage.of("imdb") == Stage("imdb")
    assert [Stage.parse(str(s)) for s in (BASE, Stage("imdb"), Stage("imdb", 4))] == [
        BASE,
        Stage("imdb"),
        Stage("imdb", 4),
    ]
