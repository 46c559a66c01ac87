"""Words and figures: hostile text becomes harmless and short, figures readable."""

import math
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from specfair.report import text


@given(st.text())
def test_clean_leaves_no_control_no_direction_mark_and_never_nothing(
    value: str,
) -> None:
    shown = text.clean(value)
    assert shown.strip()
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in shown)
    assert not set(shown) & set(
        "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    )


def test_clean_takes_colour_codes_and_keeps_line_ends_visible() -> None:
    assert text.clean("\x1b[31mred\x1b[0m\x1b]8;;http://x\x07link") == "redlink"
    assert text.clean("a\nb\tc\x00d") == "a\u23ceb\u21e5c\ufffdd"
    assert text.clean("") == text.clean(" \u202e ") == "(blank)"


def test_a_million_characters_are_cut_visibly() -> None:
    shown = text.clean("x" * 1_000_000, 100)
    assert shown == "x" * 100 + "\u2026 (+999,900 characters)"


def test_words_from_outside_are_isolated_and_escaped() -> None:
    assert text.say("<b>&") == "<bdi>&lt;b&gt;&amp;</bdi>"
    assert text.token(" a<") == '<code class="token"><bdi> a&lt;</bdi></code>'
    assert text.token("  ") == '<code class="token"><bdi>  </bdi></code>'


def test_figures() -> None:
    assert text.number(-0.0261) == "\u22120.026"
    assert text.number(-0.00001) == "0.000"
    assert text.number(math.nan) == text.number(None) == text.number("3") == "n/a"
    assert [text.signed(x) for x in (0.05, -0.05, 0.0, math.inf)] == [
        "+0.050",
        "\u22120.050",
        "0.000",
        "n/a",
    ]
    assert text.interval(0.1, None) == "0.100 to n/a"
    assert text.thousands(12345) == "12,345"
    assert text.enumerated(["a", "b", "c"]) == "a, b and c"
    assert text.enumerated([]) == ""


def test_anchors_are_safe_in_an_address() -> None:
    assert text.anchor("imdb-queer_gender") == "imdb-queer_gender"
    assert text.anchor('a b"<c>') == "a-b-c-"


def test_no_p_value_is_zero() -> None:
    assert [text.odds_said(p) for p in (0.0, 0.0004, 0.0006, 0.5, None)] == [
        "< 0.001",
        "< 0.001",
        "0.001",
        "0.500",
        "n/a",
    ]
