"""What was chosen, where the project is and how one test is asked for again, from
pytest's own configuration.
"""

from pathlib import Path

import pytest

from specfair.doors import asked


def configured(pytester: pytest.Pytester, *arguments: str) -> pytest.Config:
    return pytester.parseconfig("-p", "no:cacheprovider", *arguments)


def test_what_was_given_is_what_was_typed(pytester: pytest.Pytester) -> None:
    assert asked.given(configured(pytester)) == {}
    typed = configured(pytester, "--specfair-strict", "--specfair-seed=3")
    assert asked.given(typed) == {"strict": True, "seed": "3"}
    assert asked.settings_of(typed).seed == 3


def test_the_project_is_told_or_found_by_the_tests(pytester: pytest.Pytester) -> None:
    inner = pytester.mkdir("inner")
    (inner / "pyproject.toml").write_text("[tool.specfair]\nseed = 5\n")
    (inner / "t").mkdir()
    for told in (
        ["inner/t"],
        ["--rootdir=inner"],
        ["-c", "inner/pyproject.toml"],
        ["inner/t::test_x"],
    ):
        config = configured(pytester, *told)
        assert asked.project_of(config).root.resolve() == Path(inner).resolve(), told
        assert asked.settings_of(config).seed == 5
    assert (
        asked.project_of(configured(pytester, "--specfair-target=inner")).root
        == pytester.path
    )
