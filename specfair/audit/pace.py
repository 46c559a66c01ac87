"""How long something will still take, from how long it has taken.

Knows steps and a clock, not what is done.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

PATIENCE = 10.0  # seconds between two lines of progress


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


@dataclass(slots=True)
class Left:
    """How many of n are left, of parts that may be done side by side: said to those who
    wait, at most every few seconds.
    """

    n: int
    say: Callable[[str], object]
    done: int = 0
    said: float = field(default_factory=time.monotonic)
    pace: Pace = field(default_factory=lambda: Pace(first=0))
    lock: Lock = field(default_factory=Lock)

    def part(self) -> Callable[[int, int], None]:
        """A part begins; it says how much of it is done so far."""
        before = 0

        def progress(done: int, _: int) -> None:
            nonlocal before
            with self.lock:
                self.done, before = self.done + done - before, done
                if time.monotonic() - self.said < PATIENCE:
                    return
                self.said = time.monotonic()
                left = self.pace.left(self.done, self.n)
                self.say(f"{self.n - self.done:,} prompts to go, {left}")

        return progress
