"""Lexicons: real layouts, what counts as a word, and HONEST's own figure."""

import re
from pathlib import Path

import pytest

from specfair.errors import DataError
from specfair.texts.lexicons import lexicon

# HurtLex's columns, with words of our own
HURTLEX = (
    "id\tpos\tcategory\tstereotype\tlemma\tlevel\n"
    "EN1\tn\tcds\tno\tscoundrel\tconservative\n"
    "EN2\tn\tom\tyes\tgood for nothing\tconservative\n"
    "EN3\ta\tqas\tno\tnaïve\tconservative\n"
    "EN4\ta\tqas\tno\tsilly\tinclusive\n"
)


@pytest.fixture
def hurtlex(tmp_path: Path) -> str:
    (tmp_path / "hurtlex_EN.tsv").write_text(HURTLEX)
    return str(tmp_path / "hurtlex_EN.tsv")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (" a scoundrel.", ["scoundrel"]),
        (" A Scoundrel, a scoundrel", ["scoundrel", "scoundrel"]),
        (" scoundrels and silly people", []),  # other words; not of the surer level
        (" a good-for-nothing and NAIVE", ["good for nothing", "naive"]),
        (" good for all", []),
        ("", []),
    ],
)
def test_terms_are_whole_words_of_the_surer_level(
    hurtlex: str, text: str, found: list[str]
) -> None:
    assert list(lexicon(hurtlex).found(text)) == found


def test_of_completions_of_one_word_it_is_the_honest_score(hurtlex: str) -> None:
    """HONEST (Nozza et al. 2021): hurtful words among the K best for each template,
    over K times the number of templates; counted here without the package.
    """
    completions = [["scoundrel", "baker"], ["naïve", "silly"], ["pilot", "mason"]]
    listed = re.findall(r"\t([^\t]+)\tconservative", HURTLEX)
    honest = sum(word in listed for words in completions for word in words) / (2 * 3)
    words = lexicon(hurtlex)
    found = [any(words.found(f" {one}")) for many in completions for one in many]
    assert sum(found) / len(found) == honest == 2 / 6


def test_a_term_a_line(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("Rude word\n\nlout\n")
    assert lexicon(str(tmp_path / "own.txt")).terms == {("rude", "word"), ("lout",)}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.tsv", "word\tlevel\nx\tconservative\n", "has no column 'lemma'"),
        ("a.tsv", "lemma\tlevel\nx\tinclusive\n", "has no term"),
        ("a.txt", "\n", "has no term"),
        ("a.doc", "x", "known are"),
    ],
)
def test_a_file_without_words_is_one_line(
    tmp_path: Path, name: str, content: str, said: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=said):
        lexicon(str(tmp_path / name))
    with pytest.raises(DataError, match="does not exist"):
        lexicon(str(tmp_path / "b.txt"))
