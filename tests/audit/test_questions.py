"""Every question has an answer for its gate, and what should be low gains by
falling.
"""

import pytest

from specfair import gates
from specfair.audit import questions
from specfair.audit.audit import Audit
from specfair.config import Settings
from specfair.errors import UsageError
from specfair.vocabulary import Stage

IMDB = Stage("imdb")


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, asked in questions.QUESTIONS.items()
        if not asked.slow and asked.where(Settings())
    ],
)
def test_every_question_is_answered_with_a_family(measured: Audit, name: str) -> None:
    asked = questions.question(name)
    family = asked.asks(measured, IMDB, gates.KINDS[asked.kind].metric)
    members = {
        "group": measured.prompts.groups,
        "lookahead": measured.settings.other_lookaheads,
    }.get(asked.by, ("",))
    assert tuple(family) == members


def test_a_gain_in_what_should_be_low_is_a_fall(measured: Audit) -> None:
    fallen = {
        g: measured.base.kl.by_group[g].value
        - measured.after("imdb").kl.by_group[g].value
        for g in ("female", "queer")
    }
    gains = questions.question("gain").asks(measured, IMDB, "kl")
    assert {group: gains[group].value for group in fallen} == pytest.approx(fallen)
    together = questions.question("improve").asks(measured, IMDB, "kl")[""]
    assert together.value == pytest.approx(-measured.gain("imdb", "kl").value)
    assert (together.low, together.high) == pytest.approx(
        (-measured.gain("imdb", "kl").high, -measured.gain("imdb", "kl").low), abs=0.02
    )


def test_a_question_nobody_asks_is_refused() -> None:
    with pytest.raises(UsageError, match="Did you mean 'widening'"):
        questions.question("widenin")
