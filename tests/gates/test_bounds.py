"""The narrowest rule wins; a rule for nothing known is refused."""

import math

import pytest

from specfair.errors import UsageError
from specfair.gates import KINDS
from specfair.gates.bounds import (
    Rule,
    Where,
    bound_for,
    check_groups,
    metrics_bounded,
    parse_rule,
    rules_of,
)
from specfair.vocabulary import Stage

GAP = KINDS["gap"].bound


@pytest.mark.parametrize(
    ("table", "asked", "expected"),
    [
        ({}, {}, GAP),
        ({"gap": 0.2}, {"stage": Stage.of("imdb")}, 0.2),
        ({"gap": 0.2, "imdb": {"gap": 0.3}}, {"stage": Stage.of("imdb")}, 0.3),
        ({"gap": 0.2, "imdb": {"gap": 0.3}}, {"stage": Stage.of("sst2")}, 0.2),
        (
            {"imdb": {"gap": 0.3, "queer": {"gap": 0.4}}},
            {"stage": Stage.of("imdb"), "group": "queer"},
            0.4,
        ),
        (
            {"imdb": {"gap": 0.3}, "queer": {"gap": 0.4}},
            {"stage": Stage.of("imdb"), "group": "queer"},
            0.4,
        ),
        (
            {"imdb": {"gap": 0.3}, "alpha": {"gap": 0.4}},
            {"stage": Stage.of("imdb"), "metric": "alpha"},
            0.4,
        ),
        (
            {"imdb": {"alpha": {"gap": 0.3}}, "alpha": {"gap": 0.4}},
            {"stage": Stage.of("imdb"), "metric": "alpha"},
            0.3,
        ),
        ({"kl": {"gap": 0.3}}, {"metric": "acceptance_rate"}, GAP),
        ({"group:kl": {"gap": 0.3}}, {"group": "kl"}, 0.3),
        ({"gap": {"gap": 0.3}}, {"group": "gap"}, 0.3),
        ({"U.S.": {"gap": 0.3}}, {"group": "U.S."}, 0.3),
        ({"base": {"gap": 0.3}}, {}, 0.3),
        ({"base": {"gap": 0.3}}, {"stage": Stage.of("base")}, 0.3),
        ({"alpha": {"gap": 0.3}}, {"metric": "acceptance_rate"}, GAP),
        ({"gap": {"bound": 0.7, "min_effect": 0.3}}, {}, 0.7),
    ],
)
def test_narrowest_rule_wins(table: dict, asked: dict, expected: float) -> None:
    bound = bound_for(rules_of(table), "gap", Where(**asked))
    assert bound is not None
    assert bound.value == expected


def test_the_later_of_two_equals_wins_so_that_options_override_the_file() -> None:
    rules = (*rules_of({"imdb": {"gap": 0.3}}), parse_rule("imdb.gap<=0.05"))
    bound = bound_for(rules, "gap", Where(Stage("imdb")))
    assert bound is not None
    assert bound.value == 0.05


def test_minimum_effect_alone_keeps_the_bound() -> None:
    bound = bound_for(rules_of({"gap": {"min_effect": 0.5}}), "gap", Where())
    assert bound is not None
    assert (bound.value, bound.min_effect) == (GAP, 0.5)


def test_off_switches_a_gate_off() -> None:
    assert bound_for(rules_of({"gap": "off"}), "gap", Where()) is None
    assert (
        bound_for(
            rules_of({"gap": "off", "imdb": {"gap": 0.1}}), "gap", Where(Stage("imdb"))
        )
        is not None
    )


@pytest.mark.parametrize(
    "value", [True, False, math.nan, math.inf, "nan", "-inf", [], "many", {}, 10**400]
)
def test_a_bound_is_a_finite_number(value: object) -> None:
    """NaN once switched the gate off, and true was the bound 1.0, which passes
    always.
    """
    with pytest.raises(UsageError, match="not a finite number"):
        rules_of({"gap": {"bound": value}})


@pytest.mark.parametrize("table", [5, [1], "gap", None])
def test_gates_are_a_table(table: object) -> None:
    with pytest.raises(UsageError, match="is not a table"):
        rules_of(table)


def test_the_default_bound_is_about_its_own_metric_only() -> None:
    assert bound_for((), "gap", Where(metric="alpha")) is None
    assert bound_for(rules_of({"gap": 0.2}), "gap", Where(metric="alpha")) is None
    assert metrics_bounded(rules_of({"gap": 0.2, "kl": {"gap": 0.1}}), "gap") == (
        "acceptance_rate",
        "kl",
    )


def test_gates_without_a_default_are_off_until_configured() -> None:
    assert bound_for((), "improve", Where()) is None
    assert (
        bound_for(
            rules_of({"imdb": {"improve": 0.01}}), "improve", Where(Stage("imdb"))
        )
        is not None
    )


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("gap<=0.05", Rule("gap", 0.05)),
        (
            " imdb.queer.gain >= -0.01 ",
            Rule("gain", -0.01, stage=Stage("imdb"), group="queer"),
        ),
        ("gain>=0~0.02", Rule("gain", 0.0, 0.02)),
        ("alpha.gap<=1e-1", Rule("gap", 0.1, metric="alpha")),
        ('imdb."U.S.".gain>=0', Rule("gain", 0.0, stage=Stage("imdb"), group="U.S.")),
        ("'a, b/c d'.gain>=0", Rule("gain", 0.0, group="a, b/c d")),
        ("\u00fc/\u00df.gain>=0", Rule("gain", 0.0, group="\u00fc/\u00df")),
        ('group:"metric:x".gain>=0', Rule("gain", 0.0, group="metric:x")),
        ('"a<=b".gain>=0', Rule("gain", 0.0, group="a<=b")),
        ("group:kl.gain>=0", Rule("gain", 0.0, group="kl")),
        ("metric:kl.gap<=1", Rule("gap", 1.0, metric="kl")),
        ("kl.kl.gap<=1", None),
    ],
)
def test_expressions(text: str, rule: Rule | None) -> None:
    if rule is None:
        with pytest.raises(UsageError, match="names two metrics"):
            parse_rule(text)
    else:
        assert parse_rule(text) == rule
        assert parse_rule(str(rule)) == rule


def test_off_in_an_expression() -> None:
    assert parse_rule("gap=off").off
    assert parse_rule(str(parse_rule("imdb.gap=off"))) == parse_rule("imdb.gap=off")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("imdb.gap", "PATH<=NUMBER"),
        ("imdb.gapp<=0.1", "Did you mean 'gap'"),
        ("gap>=0.1", "bounded by <="),
        ("gain<=0.1", "bounded by >="),
        ("gap<=many", "not a finite number"),
        ("gap<=nan", "not a finite number"),
        ("at_most<=1", "unknown gate"),
        ("group:.gap<=1", "names no group"),
        ('"imdb.gap<=1', "PATH<=NUMBER"),
        ("imdb..gap<=1", "cannot be read"),
        ("imdb.sst2.gap<=0.1", "names two datasets"),
        ("imdb<=0.1", "unknown gate"),
    ],
)
def test_refusals_are_one_line(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        parse_rule(text)
    assert "\n" not in str(caught.value)


def test_a_rule_for_an_unknown_group_is_refused() -> None:
    with pytest.raises(UsageError, match="Did you mean 'queer'"):
        check_groups(rules_of({"imdb": {"quer": {"gap": 0.1}}}), ["queer", "male"])
    check_groups(rules_of({"queer": {"gain": 0.1}}), ["queer", "male"])


def test_a_word_that_could_be_two_things_must_say_which() -> None:
    for name in ("kl", "base", "imdb"):
        with pytest.raises(
            UsageError, match=f"write group:{name} or".replace("write", "Write")
        ):
            check_groups(rules_of({name: {"gain": 0.1}}), ["queer", name])
        check_groups(rules_of({f"group:{name}": {"gain": 0.1}}), ["queer", name])
    check_groups(rules_of({"metric:kl": {"gain": 0.1}}), ["queer", "kl"])
    check_groups(rules_of({"gap": {"gain": 0.1}}), ["queer", "gap"])


@pytest.mark.parametrize(
    "table", [{"gain": 0.0}, {"gain": 0}, {"gain": {"bound": 0.0}}, {"gain": "0"}]
)
def test_zero_is_a_bound(table: dict) -> None:
    bound = bound_for(rules_of(table), "gain", Where())
    assert bound is not None
    assert bound.value == 0.0
    assert bound_for([parse_rule("gain>=0")], "gain", Where()) is not None
