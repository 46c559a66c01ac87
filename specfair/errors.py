"""What can go wrong, in the words a user reads: one line naming the thing, its value,
the rule and the way out.

Knows nothing of what raised it. The plugin and the command line turn every
SpecfairError into that one line and exit code 4 or 2; only errors that are not ours
show a traceback.
"""

import shlex
from collections.abc import Iterable


class SpecfairError(Exception):
    """Base of everything specfair raises on purpose. Its text is one line, whatever the
    names in it hold.
    """

    def __str__(self) -> str:
        return plain(super().__str__())


class UsageError(SpecfairError):
    """An option, a name or a bound that does not exist or does not fit."""


class DataError(SpecfairError):
    """A prompt set or corpus that cannot be read, or says nothing."""


class ModelError(SpecfairError):
    """A model or a pair that cannot be loaded or compared."""


class BusyError(Exception):
    """Another process is at work on it."""


class StoreError(SpecfairError):
    """A stored trace, checkpoint, run or baseline that is damaged, missing or of
    another kind.
    """


def plain(text: str) -> str:
    """One line without control characters: names come from files, and a terminal or a
    CI log obeys what it is sent.
    """
    line = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )
    start = len(line) - len(line.lstrip())
    if line.startswith("::", start):  # GitHub's commands
        return f"{line[:start]}\\x3a{line[start + 1 :]}"
    return line


def as_typed(words: Iterable[str]) -> str:
    """A command line as a person types it: one line that a shell reads back as these
    words, whatever they hold.
    """
    return " ".join(
        shlex.quote(w) if w.isprintable() else f"$'{_escaped(w)}'" for w in words
    )


def _escaped(word: str) -> str:
    """Within $'...', as bash and zsh read it."""
    escaped = ""
    for c in word:
        if c in "\\'":
            escaped += f"\\{c}"
        elif c.isprintable():
            escaped += c
        else:
            data = c.encode(errors="surrogateescape")
            escaped += "".join(f"\\{byte:03o}" for byte in data)
    return escaped


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """The sentence for a name nobody knows, with the nearest one that is known."""
    import difflib  # here, so that loading the plugin stays light; likewise elsewhere

    names = list(known)
    near = difflib.get_close_matches(str(name), names, n=1)
    hint = f"Did you mean {near[0]!r}? Known: " if near else "Choose one of: "
    return f"unknown {kind} {name!r}. {hint}{', '.join(names) or 'none'}."


def counted(n: int, one: str) -> str:
    """'1 group', '2,000 groups'."""
    return f"{n:,} {one}" if n == 1 else f"{n:,} {one}s"


def ordinal(n: int) -> str:
    """'1st', '2nd', '11th'."""
    if n % 100 in (11, 12, 13):
        return f"{n}th"
    ending = {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{ending}"
