"""`-k` by whole names, in a project whose tests are parametrized by ours and by
others.
"""

import pytest

from tests import here

TESTS = """
import pytest

@pytest.mark.parametrize("group", ["queer", "nonqueer", "queer_gender", "male", "female", "two words", "a, b", "größe"])
@pytest.mark.parametrize("dataset", ["imdb", "sst2"])
def test_group(specfair, dataset, group):
    pass

def test_male_voices(specfair):
    pass

@pytest.mark.parametrize("word", ["nonqueer"])
def test_of_theirs(word):
    pass
"""
EIGHT = (
    "queer",
    "nonqueer",
    "queer_gender",
    "male",
    "female",
    "two words",
    "a, b",
    "größe",
)


def chosen(pytester: pytest.Pytester, *arguments: str) -> set[str]:
    pytester.makepyfile(TESTS)
    result = here.run(pytester, "--collect-only", "-q", *arguments)
    return {line.partition("::")[2] for line in result.outlines if "::" in line}


def ids(*pairs: tuple[str, str]) -> set[str]:
    return {
        f"test_group[{dataset}-{group}]".encode("unicode_escape").decode()
        for dataset, group in pairs
    }


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("imdb and queer", ids(("imdb", "queer"))),
        ("IMDB and Queer", ids(("imdb", "queer"))),
        ("imdb-queer", ids(("imdb", "queer"))),
        (
            "sst2 and not (queer or male)",
            ids(*(("sst2", g) for g in EIGHT if g not in ("queer", "male"))),
        ),
        ("imdb and 'two words'", ids(("imdb", "two words"))),
        ('imdb and "a, b"', ids(("imdb", "a, b"))),
        ("imdb and größe", ids(("imdb", "größe"))),
        ("male and not imdb and not sst2", {"test_male_voices"}),
        ("nonqueer and not imdb and not sst2", {"test_of_theirs[nonqueer]"}),
        ("theirs", {"test_of_theirs[nonqueer]"}),
        # no whole name, so a part of one, as pytest has it
        ("imdb and gender", ids(("imdb", "queer_gender"))),
    ],
)
def test_a_name_means_itself(
    pytester: pytest.Pytester, expression: str, expected: set[str]
) -> None:
    assert chosen(pytester, "-k", expression) == expected


def test_without_ours_nothing_is_rewritten(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import pytest\n\n@pytest.mark.parametrize('group', ['nonqueer'])\ndef "
        "test_x(group):\n    pass"
    )
    result = here.run(pytester, "-k", "queer")
    result.assert_outcomes(passed=1)
