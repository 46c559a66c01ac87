"""What an audit does with an opened pair: write, read along, decode live, take times,
train.

The one module of this room that needs torch; `stages.py` imports it when something is
missing, and nothing else does. It knows no store and no settings.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from specfair.decoding import Decoding, Lookahead
from specfair.engine import agreement, clock, output, readers, speculate, timing, tracer
from specfair.engine.assisted import assisted
from specfair.engine.batches import Progress
from specfair.models import load
from specfair.models.devices import sharing_cores
from specfair.models.folders import brief
from specfair.models.identity import Choice, Identity
from specfair.models.pair import Pair, encode
from specfair.models.tokens import rules
from specfair.texts.prompts import Prompt
from specfair.traces.fidelity import unlike
from specfair.traces.tally import Tally
from specfair.traces.trace import Text, Trace
from specfair.training import finetune, teacher
from specfair.training.pool import Pool
from specfair.training.tuned import Training
from specfair.workers import by_itself


@dataclass(frozen=True, slots=True)
class Work:
    """A pair that is open, and what can be done with it."""

    pair: Pair

    @property
    def identity(self) -> Identity:
        """Which pair it is."""
        return self.pair.identity

    def trace(
        self,
        prompts: Sequence[Prompt],
        decoding: Decoding,
        *,
        room: float = 0,
        progress: Progress,
    ) -> Trace:
        """What the target writes after these prompts, and what the draft makes of it;
        the target's states stay where there is room for their bytes of a token.
        """
        size = output.size(self.pair.target)
        keep = size if size <= room else 0
        return tracer.trace_drafts(
            [self.pair], prompts, decoding, keep=keep, progress=progress
        )[0]

    def read(self, text: Text, *, progress: Progress) -> Trace:
        """A text of this target, with what the draft makes of it."""
        return tracer.reread([self.pair], text, progress=progress)[0]

    def read_of_others(self, text: Text) -> Trace:
        """A text that somebody else wrote, with what target and draft make of it."""
        return tracer.reread([self.pair], tracer.scored(self.pair, text))[0]

    def cost_ratio(self) -> float:
        """The time of a draft step over a target step."""
        return clock.cost_ratio(self.pair)

    def agreement(self, trace: Trace, lookahead: Lookahead) -> agreement.Agreement:
        """Whether live decoding of these prompts counts what the replay counts. A
        threshold that moves is moved by transformers, where that does it here; else it
        is held where it starts.
        """
        decoding = trace.header.decoding
        if lookahead.schedule == "adaptive":
            both_models = len(self.pair.models) == 2
            if both_models and agreement.is_exact(trace) and find_spec("sklearn"):
                counts = assisted(self.pair, trace.prompts, decoding, lookahead)[1]
                return agreement.compare_with_library(trace, lookahead, counts)
            lookahead = replace(lookahead, schedule="confidence")
        live = speculate.speculate(self.pair, trace.prompts, decoding, lookahead)
        return agreement.compare(trace, live)

    def fidelity(self, trace: Trace, lookahead: Lookahead) -> tuple[str, str]:
        """Whether what transformers' own generate writes after these prompts is what
        the target would: what is wrong with it, and what was found.
        """
        decoding = trace.header.decoding
        try:
            wrote, _ = assisted(self.pair, trace.prompts, decoding, lookahead)
        # whatever the library does with a draft that it was not made for
        except Exception as error:
            said = f"raises {type(error).__name__}: {brief(error)}"
            return said, said
        read = tracer.scored(self.pair, wrote)
        problem, said = unlike(Trace(read, replace(trace.reading, columns={})), trace)
        return problem and f"writes texts of {problem}", f"writes texts of {said}"

    def count(self, trace: Trace, lookahead: Lookahead, *, library: bool) -> Tally:
        """The counts of live decoding of these prompts, by us or by transformers."""
        decoding = trace.header.decoding
        if library:
            return assisted(self.pair, trace.prompts, decoding, lookahead)[1]
        return speculate.count(self.pair, trace.prompts, decoding, lookahead)

    def times(
        self, prompts: Sequence[Prompt], decoding: Decoding, lookahead: Lookahead
    ) -> timing.Times:
        """Seconds alone and speculative."""
        n_rounds = timing.N_ROUNDS
        return clock.clock(self.pair, prompts, decoding, lookahead, n_rounds=n_rounds)

    def n_cut(self, prompts: Sequence[Prompt], max_new_tokens: int) -> int:
        """How many prompts are cut to fit the context."""
        return encode(self.pair, prompts, max_new_tokens)[1]

    def rules(self) -> str:
        """Those of the tokenizer, where they are all of it."""
        return rules(self.pair.tokenizer)

    def train(
        self,
        training: Training,
        folder: Path,
        *,
        progress: Callable[[int, int, float], None],
        resume: Path,
    ) -> None:
        """Tune one of the models into the folder, from where a killed run stopped."""
        with by_itself():
            finetune.train(
                training, self.pair, folder, progress=progress, resume=resume
            )

    def taught(self, trace: Trace, prompts: Sequence[Prompt]) -> Pool:
        """What a draft can learn of the texts of a trace, behind these prompts."""
        return teacher.taught(self.pair, trace, prompts)


@contextmanager
def at_work(choice: Choice, *, tiny: bool) -> Iterator[Work]:
    """The pair, with threads as suit it; both are given back at the end."""
    with sharing_cores(tiny=tiny):
        pair = load.load(
            choice.target,
            choice.draft,
            device=choice.device,
            dtype=choice.dtype,
            loading=choice.loading,
        )
        target_name, draft_name = choice.names
        try:
            yield Work(replace(pair, target_name=target_name, draft_name=draft_name))
        finally:
            del pair
    gc.collect()  # models hold themselves in circles


@contextmanager
def reading(how: str, name: str, device: str, *, dtype: str) -> Iterator[readers.Read]:
    """A judge, or a reader, as long as it is needed."""
    with sharing_cores(tiny=False):
        opened = readers.judge if how == "judged" else readers.reader
        read = opened(name, device, dtype)
        try:
            yield read
        finally:
            del read
    gc.collect()
