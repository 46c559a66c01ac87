"""Who asks: what a failed answer says to him, and the command that asks again."""

import sys
from collections import Counter
from dataclasses import replace

import pytest

from specfair import config
from specfair.audit.audit import Audit
from specfair.audit.case import Case, about, explain, invoked, told_how
from specfair.gates import Bound, check
from specfair.gates.words import MEND
from specfair.stats import Part
from specfair.stats.estimate import from_t
from specfair.vocabulary import BASE, Stage

PARTS = (Part("slow", 1096, 12, 4e-4), Part("fast", 300, 20, 1e-4))


def test_a_case_says_once_what_it_looked_at(measured: Audit) -> None:
    case = Case("imdb", "pytest mine", audits=[measured, measured])
    assert case.about == about(measured)
    assert measured.prompts.sentence in case.about
    assert measured.settings.store not in case.about
    assert Case("imdb", "pytest mine").about == ""


def test_two_cases_do_not_count_together() -> None:
    one, other = Case("one", "x"), Case("other", "x")
    one.asked["gap", "kl"] += 1
    assert other.asked == Counter()


def test_a_failure_is_told_with_everything_to_see_it_again() -> None:
    estimate = from_t(0.3, 0.01, 1e6, parts=PARTS, groups=("slow", "fast"))
    verdict = check(estimate, Bound("gap", 0.1, min_effect=0.02), "imdb")
    lines = explain(verdict, Case("imdb", "pytest 'a b.py'")).splitlines()
    assert lines[0] == verdict.sentence
    said = {line[:11].strip(): line[12:] for line in lines[1:]}
    assert said["expected"] == "gap <= 0.1, minimum effect 0.02"
    assert said["actual"] == "0.3, 95% interval 0.2804 to 0.3196"
    assert said["groups"] == "slow against fast"
    assert said["n"].startswith("slow: 1,096 prompts, 12 clusters; ")
    assert said["alone"] == "pytest 'a b.py'"
    assert "measured" not in said  # it looked at no audit


@pytest.mark.parametrize(
    ("program", "command"),
    [
        ("/somewhere/bin/pytest", "pytest -k 'a b'"),
        ("/somewhere/specfair/__main__.py", "python -m specfair -k 'a b'"),
    ],
)
def test_the_command_that_runs_names_no_folder(
    monkeypatch: pytest.MonkeyPatch, program: str, command: str
) -> None:
    monkeypatch.setattr(sys, "argv", [program, "-k", "a b"])
    assert invoked() == command


def test_a_way_out_names_the_command_that_mends_with_its_arguments() -> None:
    """Of the pair that was given, or of the one that is ready; what is fine-tuned here
    is no file that anybody could name.
    """
    said = f"Mend the draft for slow with `{MEND}`, or set the bound."
    asked = {"target": "gpt2", "draft": "distilgpt2", "prompts": "honest"}
    real = config.override(config.Settings(), asked | {"temperature": 1})
    command = (
        "specfair mend --target=gpt2 --draft=distilgpt2 --prompts=honest "
        "--temperature=1.0 --out mended"
    )
    assert command in told_how(said, real, BASE)
    assert told_how(said, config.Settings(), None) == said
    ready = config.override(real, {"tuned_draft": "old"})
    assert "--target=gpt2 --draft=old --prompts" in told_how(
        said, ready, Stage("tuned")
    )
    plain = "Mend the draft for slow, or set the bound."
    assert told_how(said, real, Stage("imdb")) == plain
    served = replace(real, server="http://localhost:1")
    assert told_how(said, served, BASE) == plain
