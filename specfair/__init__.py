"""specfair: the fairness of speculative decoding, as tests.

The nouns, loaded when first used: `import specfair` loads neither torch nor anything
else that is heavy. The verbs live in the rooms that do the work:
`specfair.engine.tracer.trace`, `specfair.traces.replay.replay`, `specfair.gates.check`.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from specfair.audit.audit import Audit
    from specfair.config import Settings
    from specfair.errors import SpecfairError
    from specfair.gates import Bound
    from specfair.models.pair import Pair
    from specfair.run.run import Run
    from specfair.run.verdict import Verdict
    from specfair.stats import Estimate, Tally
    from specfair.texts.prompts import Prompt, PromptSet
    from specfair.traces.metrics import Groups
    from specfair.traces.replay import Lookahead
    from specfair.traces.trace import Decoding, Trace

if not (Path(__file__).parent / "evals").is_dir():
    # a checkout: `specfair.evals` lies beside the package, not in it
    __path__.append(str(Path(__file__).parents[1]))

_HOMES = {
    "Audit": "audit.audit",
    "Bound": "gates",
    "Decoding": "traces.trace",
    "Estimate": "stats",
    "Groups": "traces.metrics",
    "Lookahead": "traces.replay",
    "Pair": "models.pair",
    "Prompt": "texts.prompts",
    "PromptSet": "texts.prompts",
    "Run": "run.run",
    "Settings": "config",
    "SpecfairError": "errors",
    "Tally": "stats",
    "Trace": "traces.trace",
    "Verdict": "run.verdict",
}

__all__ = [
    "Audit",
    "Bound",
    "Decoding",
    "Estimate",
    "Groups",
    "Lookahead",
    "Pair",
    "Prompt",
    "PromptSet",
    "Run",
    "Settings",
    "SpecfairError",
    "Tally",
    "Trace",
    "Verdict",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'specfair' has no attribute {name!r}")
    return getattr(import_module(f"specfair.{_HOMES[name]}"), name)
