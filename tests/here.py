"""Runs of pytest for tests that ask about words and exit codes: in this process, or in
processes of its own where workers are asked for.

A process of its own spends eight seconds of ten on importing torch and transformers.
"""

from importlib import import_module

import pytest

# a run in this process forgets what it imported, and some libraries can be imported
# only once: so they are imported before any run
for _name in (
    *("audit.desk", "audit.holding", "audit.record", "engine.tracer"),
    *("engine.speculate", "report.render", "training.finetune"),
):
    import_module(f"specfair.{_name}")
# of others, imported anew by every run, and of no use to one
_AWAY = ("cacheprovider", "hypothesispytest", "anyio")


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """`pytest` in the folder of pytester; with `-n`, in processes."""
    away = [option for name in _AWAY for option in ("-p", f"no:{name}")]
    if "-n" in arguments:
        return pytester.runpytest_subprocess(*away, *arguments)
    return pytester.runpytest_inprocess(*away, "-p", "no:xdist", *arguments)
