"""How long something will still take, from how long it has taken.

Knows steps and a clock, not what is done.
"""

import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Pace:
    """Of steps that are counted from when it is first asked; a resumed work begins in
    their midst.
    """

    began: float = field(default_factory=time.monotonic)
    first: int = -1

    def left(self, done: int, n: int) -> str:
        """In words, after so many of n steps."""
        if self.first < 0:
            self.first = max(0, done - 1)
        each = (time.monotonic() - self.began) / max(1, done - self.first)
        seconds = round(each * (n - done))
        return f"{seconds // 60}:{seconds % 60:02d} left"
