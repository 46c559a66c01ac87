"""Words and numbers as a page prints them: hostile text made harmless and short,
figures made readable.

Knows nothing of HTML beyond the isolating element for text from outside; escaping is
the template's part.
"""

import math
import re
import unicodedata

from markupsafe import Markup, escape

COMMAND = 4000  # characters of a command: it must be whole to be of use

_ANSI = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]?|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])"
)
# line ends stay visible: they are tokens too
_VISIBLE = {"\n": "\u23ce", "\t": "\u21e5", "\r": ""}
_BIDI = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


def clean(text: object, limit: int = 240) -> str:
    """The text without controls, colour codes and direction marks, cut visibly after
    `limit` characters.
    """
    whole = str(text)
    harmless = "".join(_character(c) for c in _ANSI.sub("", whole[: 4 * limit]))
    rest = len(harmless) - limit + max(0, len(whole) - 4 * limit)
    shown = harmless[:limit] + (f"\u2026 (+{rest:,} characters)" if rest > 0 else "")
    return shown if shown.strip() else "(blank)"


def _character(character: str) -> str:
    if character in _VISIBLE:
        return _VISIBLE[character]
    if character in _BIDI:
        return ""
    nothing = (
        unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
        or ord(character) & 0xFFFE == 0xFFFE
    )
    return "\ufffd" if nothing else character


def say(text: object, limit: int = 240) -> Markup:
    """Text from outside, escaped and kept from reordering its neighbours."""
    return Markup("<bdi>{}</bdi>").format(escape(clean(text, limit)))


def coded(text: str) -> Markup:
    """A sentence of ours; what stands between backticks in it is code."""
    plain, code = Markup("{}"), Markup("<code>{}</code>")
    parts = enumerate(text.split("`"))
    return Markup().join((code if i % 2 else plain).format(part) for i, part in parts)


def token(text: object) -> Markup:
    """A token of a model: its spaces are part of it."""
    return Markup('<code class="token"><bdi>{}</bdi></code>').format(
        escape(clean(text, 60) if str(text).strip(" ") else text)
    )


def number(value: object, digits: int = 3) -> str:
    """A figure, or "n/a"."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return "n/a"
    shown = f"{value:.{digits}f}"
    return shown.replace("-", "\u2212") if float(shown) else f"{0:.{digits}f}"


def odds_said(p_value: object) -> str:
    """A p-value; none is zero."""
    shown = number(p_value)
    return "< 0.001" if shown == "0.000" else shown


def signed(value: object, digits: int = 3) -> str:
    """A change, with its sign."""
    shown = number(value, digits)
    return f"+{shown}" if shown[0].isdigit() and float(shown) else shown


def interval(low: object, high: object, digits: int = 3) -> str:
    """Both ends, or "n/a"."""
    return f"{number(low, digits)} to {number(high, digits)}"


def signed_interval(low: object, high: object, digits: int = 3) -> str:
    """Both ends of a change."""
    return f"{signed(low, digits)} to {signed(high, digits)}"


def thousands(value: object) -> str:
    """A whole number with thousands marked."""
    return f"{value:,}" if isinstance(value, int) else number(value)


def enumerated(words: list[str]) -> str:
    """'a, b and c'."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def anchor(text: object) -> str:
    """A name as the part of an address after '#'."""
    return re.sub(r"[^\w.-]+", "-", clean(text, 80)) or "case"
