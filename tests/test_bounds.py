"""The narrowest rule wins; a rule for nothing known is refused."""

import math

import pytest

from specfair.bounds import Rule, bound_for, check_groups, parse_rule, rules_of
from specfair.errors import UsageError
from specfair.gates import KINDS

GAP = KINDS["gap"].bound


@pytest.mark.parametrize(
    ("table", "asked", "expected"),
    [
        ({}, {}, GAP),
        ({"gap": 0.2}, {"dataset": "imdb"}, 0.2),
        ({"gap": 0.2, "imdb": {"gap": 0.3}}, {"dataset": "imdb"}, 0.3),
        ({"gap": 0.2, "imdb": {"gap": 0.3}}, {"dataset": "sst2"}, 0.2),
        ({"imdb": {"gap": 0.3, "queer": {"gap": 0.4}}}, {"dataset": "imdb", "group": "queer"}, 0.4),
        ({"imdb": {"gap": 0.3}, "queer": {"gap": 0.4}}, {"dataset": "imdb", "group": "queer"}, 0.4),
        ({"imdb": {"gap": 0.3}, "alpha": {"gap": 0.4}}, {"dataset": "imdb", "metric": "alpha"}, 0.3),
        ({"base": {"gap": 0.3}}, {}, 0.3),
        ({"base.gap": 0.3}, {"dataset": "base"}, 0.3),
        ({"alpha.gap": 0.3}, {"metric": "kl"}, GAP),
        ({"gap": {"bound": 0.7, "min_effect": 0.3}}, {}, 0.7),
    ],
)
def test_narrowest_rule_wins(table: dict, asked: dict, expected: float) -> None:
    bound = bound_for(rules_of(table), "gap", **asked)
    assert bound is not None
    assert bound.value == expected


def test_the_later_of_two_equals_wins_so_that_options_override_the_file() -> None:
    rules = (*rules_of({"imdb": {"gap": 0.3}}), parse_rule("imdb.gap<=0.05"))
    bound = bound_for(rules, "gap", dataset="imdb")
    assert bound is not None
    assert bound.value == 0.05


def test_minimum_effect_alone_keeps_the_bound() -> None:
    bound = bound_for(rules_of({"gap": {"min_effect": 0.5}}), "gap")
    assert bound is not None
    assert (bound.value, bound.min_effect) == (GAP, 0.5)


@pytest.mark.parametrize("value", ["off", False])
def test_off_switches_a_gate_off(value: object) -> None:
    assert bound_for(rules_of({"gap": value}), "gap") is None
    assert bound_for(rules_of({"gap": value, "imdb": {"gap": 0.1}}), "gap", dataset="imdb") is not None


def test_gates_without_a_default_are_off_until_configured() -> None:
    assert bound_for((), "improve") is None
    assert bound_for(rules_of({"imdb": {"improve": 0.01}}), "improve", dataset="imdb") is not None


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("gap<=0.05", Rule("gap", 0.05)),
        (" imdb.queer.gain >= -0.01 ", Rule("gain", -0.01, dataset="imdb", group="queer")),
        ("gain>=0~0.02", Rule("gain", 0.0, 0.02)),
        ("alpha.gap<=1e-1", Rule("gap", 0.1, metric="alpha")),
    ],
)
def test_expressions(text: str, rule: Rule) -> None:
    assert parse_rule(text) == rule


def test_off_in_an_expression() -> None:
    assert math.isnan(parse_rule("gap=off").value or 0.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("imdb.gap", "PATH<=NUMBER"),
        ("imdb.gapp<=0.1", "Did you mean 'gap'"),
        ("gap>=0.1", "bounded by <="),
        ("gain<=0.1", "bounded by >="),
        ("gap<=many", "not a number"),
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


@pytest.mark.parametrize("table", [{"gain": 0.0}, {"gain": 0}, {"gain": {"bound": 0.0}}, {"gain": "0"}])
def test_zero_is_a_bound(table: dict) -> None:
    bound = bound_for(rules_of(table), "gain")
    assert bound is not None
    assert bound.value == 0.0
    assert bound_for([parse_rule("gain>=0")], "gain") is not None
