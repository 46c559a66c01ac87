"""Lines on a terminal, made harmless: names come from files, and terminals obey.

Knows the two streams. Does not know what the lines are about.
"""

import sys

from specfair.errors import plain


def tell(line: str) -> None:
    """One harmless line on standard error."""
    print(f"specfair: {plain(line)}", file=sys.stderr, flush=True)


def show(*lines: str) -> None:
    """Lines with names from outside in them, made harmless."""
    print("\n".join(map(plain, lines)))
