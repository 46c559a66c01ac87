"""A pair that is open in many places at once: workers of a Ray cluster do what an open
pair is asked to do, one thing each at a time.

Knows Ray, and that several threads ask. What is done is known in `work.py`, and that
nothing is done twice is the store's business. What workers find comes back through Ray;
models, and the store that trained ones are written to, lie where all of them see them.
"""

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any, cast

from specfair.audit.hand import Hand, Opening
from specfair.errors import ModelError, UsageError
from specfair.models.identity import Choice, Identity, versions
from specfair.workers import Hired

if TYPE_CHECKING:
    from specfair.audit.work import Work

LIVES = 3  # workers that one thing may cost before it is given up
RETURNS = 20  # how often a worker that was lost is started again
PATIENCE = 5.0  # seconds between two looks at how far a worker is
REMIND = 60.0  # seconds of waiting for a worker that need no word


class Crew:
    """Hired when the first thing is asked of them, and let go with the last user."""

    def __init__(
        self, hired: Hired, opening: Opening, say: Callable[[str], object]
    ) -> None:
        self._hired, self._opening, self._say = hired, opening, say
        self._changed = Condition()
        self._n_users = 0
        self._hands: list[Any] = []
        # those who wait for work, and which pair each has open
        self._free: list[tuple[Any, Choice | None]] = []
        self._trouble: Exception | None = None
        self._pairs: dict[Choice, Identity] = {}

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """They stay for as long as the block takes; blocks may overlap."""
        with self._changed:
            self._n_users += 1
        try:
            yield
        finally:
            with self._changed:
                self._n_users -= 1
                if not self._n_users:
                    self._let_go()

    @contextmanager
    def opened(self, choice: Choice) -> Iterator["Work"]:
        """The pair, as if it were open here."""
        with self.at_work():
            yield cast("Work", _Elsewhere(self, choice))

    @cached_property
    def _ray(self) -> Any:
        """Ray, connected: to what RAY_ADDRESS says, or to a cluster of this machine
        alone.
        """
        try:
            ray: Any = import_module("ray")
        except ImportError as error:
            raise UsageError(
                "workers = 'ray' needs Ray, which is not installed. Get it: "
                "pip install 'specfair[ray]'."
            ) from error
        if ray.is_initialized():
            return ray
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        place, own = os.environ.get("RAY_ADDRESS", ""), dict[str, Any]()
        if not place:
            n_cpus = max(self._hired.n, os.cpu_count() or 1)
            own = {"num_cpus": n_cpus, "include_dashboard": False}
        try:
            _look_for(place)
            ray.init(log_to_driver=False, logging_level="ERROR", **own)
        except (OSError, RuntimeError, ValueError) as error:
            raise UsageError(
                f"the Ray cluster at {place or 'home'!r} cannot be reached "
                f"({type(error).__name__}). Start it, or mend RAY_ADDRESS."
            ) from error
        return ray

    @cached_property
    def _room(self) -> Mapping[str, float]:
        found: Mapping[str, float] = self._ray.cluster_resources()
        return found

    @property
    def _gpus(self) -> float:
        usual = min(1.0, self._room.get("GPU", 0.0))
        return usual if self._hired.gpus is None else self._hired.gpus

    @property
    def n(self) -> int:
        """How many work at once."""
        kind, each = ("GPU", self._gpus) if self._gpus else ("CPU", 1.0)
        return self._hired.n or max(1, int(self._room.get(kind, 0.0) / each))

    def identity(self, choice: Choice) -> Identity:
        """Which pair this is, wherever it was opened."""
        if choice not in self._pairs:
            self.ask(choice, "identity")
        return self._pairs[choice]

    def ask(
        self,
        choice: Choice,
        what: str,
        *given: Any,
        progress: Callable[..., object] | None = None,
        **named: Any,
    ) -> Any:
        """Let one of them do it, and another where that one is lost."""
        failed = self._ray.exceptions
        for _ in range(LIVES):
            hand = self._one(choice)
            watched = progress is not None
            begun = hand.do.remote(choice, what, given, named, watched=watched)
            try:
                identity, found = self._awaited(begun, hand, progress)
            except failed.RayTaskError as error:
                self._back(hand, None)
                raise error.cause or error from None
            except failed.RayError:
                self._say("a worker was lost; what it had begun begins again elsewhere")
                self._expect(hand)
                continue
            self._back(hand, choice)
            self.check(choice, identity)
            return found
        raise ModelError(
            f"{what!r} of {choice.names[0]!r} cost {LIVES} workers, one after the "
            "other. See the logs of the Ray cluster: one may lack memory."
        )

    def _awaited(
        self, begun: Any, hand: Any, progress: Callable[..., object] | None
    ) -> Any:
        done = not progress
        while progress and not done:
            done = bool(self._ray.wait([begun], timeout=PATIENCE)[0])
            told = hand.told.options(concurrency_group="told").remote()
            for seen in self._ray.get(told):
                progress(*seen)
        return self._ray.get(begun)

    def check(self, choice: Choice, identity: Identity) -> None:
        """What two workers open as one pair is one."""
        known = self._pairs.setdefault(choice, identity)
        if known != identity:
            raise UsageError(
                f"pair {choice.names[0]!r} is {known.dtype} on {known.device} with "
                f"one worker, {identity.dtype} on {identity.device} with another; "
                "their texts would differ. Name --specfair-device and -dtype, and "
                "give all workers the same files."
            )

    def _one(self, choice: Choice) -> Any:
        """Who is free, if possible with this pair open."""
        with self._changed:
            if not self._hands:
                self._hire()
            while not self._free and not self._trouble:
                if not self._changed.wait(REMIND):
                    self._say(f"waiting for one of {self.n} workers ({self._each})")
            if self._trouble:
                raise self._trouble
            own = (entry for entry in self._free if entry[1] == choice)
            found = next(own, self._free[-1])
            self._free.remove(found)
            return found[0]

    @property
    def _each(self) -> str:
        return f"each takes 1 CPU and {self._gpus:g} GPUs of the Ray cluster"

    def _back(self, hand: Any, choice: Choice | None) -> None:
        with self._changed:
            self._free.append((hand, choice))
            self._changed.notify_all()

    def _hire(self) -> None:
        hiring = self._ray.remote(
            num_cpus=1,
            num_gpus=self._gpus,
            max_restarts=RETURNS,
            concurrency_groups={"told": 1},
        )(Hand)
        home, self._trouble = str(Path.cwd()), None
        self._hands = [hiring.remote(home, self._opening) for _ in range(self.n)]
        for hand in self._hands:
            self._expect(hand)

    def _expect(self, hand: Any) -> None:
        """It is free once it answers. The thread that tells so is Ray's own, and stands
        still while it waits for ours: another one takes it from there.
        """
        ready = hand.ready.options(max_task_retries=-1).remote(versions())
        ready.future().add_done_callback(
            lambda answer: Thread(target=self._answered, args=(hand, answer)).start()
        )

    def _answered(self, hand: Any, answer: Any) -> None:
        error = answer.exception()
        with self._changed:
            if hand not in self._hands:
                return  # let go meanwhile
            if error is None:
                self._free.append((hand, None))
            elif isinstance(error, self._ray.exceptions.RayTaskError):
                self._trouble = error.cause or error
            else:
                self._hands.remove(hand)
            if not self._hands:
                self._trouble = ModelError(
                    f"no worker is left ({type(error).__name__}). See the logs of the "
                    "Ray cluster; specfair must be installed on all its nodes."
                )
            self._changed.notify_all()

    def _let_go(self) -> None:
        gone, self._hands, self._free = self._hands, [], []
        for hand in gone:
            self._ray.kill(hand)


def _look_for(place: str) -> None:
    """An OSError where nobody listens: Ray itself would wait for very long."""
    host, colon, port = place.rpartition("://")[2].rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=PATIENCE).close()


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    """What an open pair can do, done by whoever is free."""

    crew: Crew
    choice: Choice

    @property
    def identity(self) -> Identity:
        return self.crew.identity(self.choice)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return partial(self.crew.ask, self.choice, name)
