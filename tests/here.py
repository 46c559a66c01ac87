"""Runs of pytest inside this process, for tests that ask about words and exit codes.

A process of its own spends eight seconds of ten on importing torch and transformers.
"""

from importlib import import_module

import pytest

# a run in this process forgets what it imports, and some libraries can be imported once
_KEPT = (
    *("audit.record", "engine.tracer", "engine.speculate", "report.render"),
    *("training.finetune",),
)


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """`pytest` in the folder of pytester, without xdist, which wants processes."""
    for name in _KEPT:
        import_module(f"specfair.{name}")
    away = ("-p", "no:cacheprovider", "-p", "no:xdist")
    return pytester.runpytest_inprocess(*away, *arguments)
