"""Runs of the command line that can be killed: children of a warm process, so that none
pays for imports.

`Forks` speaks with that process in lines of JSON. The process imports everything and
starts no thread of its own; each request is a child of it, in a folder of its own,
which may be sent a signal after some seconds.
"""

import gc
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
PORTION = 8  # prompts, so that a small audit has several
AGREED = "1700000000"  # SOURCE_DATE_EPOCH


@dataclass(frozen=True, slots=True)
class Run:
    """What became of one child."""

    code: int  # negative for the signal that ended it
    seconds: float
    said: str  # standard error, progress included


class Forks:
    """The warm process, for the length of a `with`."""

    def __enter__(self) -> Self:
        env = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith(("COV", "PYTEST_XDIST"))
        }
        env |= {
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
            "SOURCE_DATE_EPOCH": AGREED,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.forks"],
            cwd=ROOT, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()

    def run(
        self,
        folder: Path,
        arguments: list[str],
        *,
        after: float | None = None,
        send: int = signal.SIGKILL,
    ) -> Run:
        """`specfair ARGUMENTS` in this folder; a signal after so many seconds, if
        any.
        """
        (finished,) = self.run_all(folder, [arguments], after=after, send=send)
        return finished

    def run_all(
        self,
        folder: Path,
        commands: list[list[str]],
        *,
        after: float | None = None,
        send: int = signal.SIGKILL,
    ) -> list[Run]:
        """Several at the same time."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        for i in range(len(commands)):
            # some are killed before they have opened it
            (folder / f"said-{i}").write_text("")
        asked = {
            "folder": str(folder),
            "commands": commands,
            "after": after,
            "signal": int(send),
        }
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        found = json.loads(self.process.stdout.readline())
        return [
            Run(code, seconds, (folder / f"said-{i}").read_text())
            for i, (code, seconds) in enumerate(found)
        ]


def _serve() -> None:
    from specfair import cli  # noqa: F401 - to be warm, like the next
    from specfair.doors import auditing  # noqa: F401 - likewise
    from specfair.engine import speculate  # noqa: F401 - likewise
    from specfair.report import render  # noqa: F401 - likewise

    gc.freeze()  # children need not look through what was imported
    for line in sys.stdin:
        asked = json.loads(line)
        start = time.monotonic()
        children = [
            _fork(asked["folder"], i, command)
            for i, command in enumerate(asked["commands"])
        ]
        ended: dict[int, tuple[int, float]] = {}
        sent = asked["after"] is None
        while len(ended) < len(children):
            if not sent and time.monotonic() - start >= asked["after"]:
                sent = True
                for child in set(children) - set(ended):
                    os.kill(child, asked["signal"])
            child, status = os.waitpid(-1, os.WNOHANG)
            if child:
                ended[child] = (
                    os.waitstatus_to_exitcode(status),
                    time.monotonic() - start,
                )
            else:
                time.sleep(0.001)
        print(json.dumps([ended[child] for child in children]), flush=True)


def _fork(folder: str, number: int, command: list[str]) -> int:
    child = os.fork()
    if child:
        return child
    code = 99
    # what comes before the command begins is not for it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        code = _work(folder, number, command)
    finally:
        sys.stderr.flush()
        os._exit(code)


def _work(folder: str, number: int, command: list[str]) -> int:
    import tempfile

    from specfair import cli
    from specfair.audit import tracing
    from specfair.training import recipe

    os.chdir(folder)
    for stream, name in ((1, os.devnull), (2, f"said-{number}")):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
    tempfile.tempdir = str(Path(folder) / "tmp")
    Path(tempfile.tempdir).mkdir(exist_ok=True)
    tracing.PORTION = PORTION
    small: dict[str, Any] = {
        "max_steps": 3,
        "batch_size": 2,
        "accumulation": 1,
        "block": 32,
        "learning_rate": 1e-3,
    }
    recipe._SMALL = {**recipe._SMALL, **small}
    sys.argv = ["specfair", *command]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return cli.main(command)


if __name__ == "__main__":
    _serve()
