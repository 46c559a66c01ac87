"""What a server told of the prompts, as a stage's counts: the same tallies that live
decoding gives, and the times its clients feel.

Knows which metrics follow from replies, and which of them are exact. Does not know how
replies were come by.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specfair import stats
from specfair.decoding import Decoding, Lookahead
from specfair.models.identity import Identity
from specfair.servers.adapter import About, Adapter
from specfair.servers.reply import UNKNOWN, BrokenError, Reply, row
from specfair.stats import Estimate, Sample
from specfair.stats.tally import Array
from specfair.texts.prompts import Prompt, PromptSet
from specfair.traces.metrics import Sums, labelled
from specfair.traces.tally import RATES, Tally
from specfair.traces.trace import (
    READING,
    TEXT,
    Header,
    Reading,
    Text,
    Trace,
    offsets_of,
)

# of every reply; the one figure that all servers tell alike comes first
COUNTED = ("mean_acceptance_length", "acceptance_rate", "draft_acceptance_rate")


@dataclass(frozen=True, slots=True)
class Counted:
    """Some prompts' replies, and the counts that follow."""

    prompts: Sequence[Prompt]
    replies: Sequence[Reply]
    tally: Tally
    width: int  # the most tokens that a round was seen to draft
    problem: str = ""  # why the counts cannot be relied on

    @property
    def seconds(self) -> Array:
        """To the first token and to the end, (n_prompts, 2)."""
        return np.array([reply.seconds for reply in self.replies], dtype=np.float64)

    def sample(self, metric: str) -> Sample:
        """The metric by prompt."""
        over, under = (getattr(self.tally, part) for part in RATES[metric])
        return labelled(self.prompts).with_counts(over, under)


@dataclass(frozen=True, slots=True)
class Served:
    """A server, what it told, what it told of some prompts in another order, and how
    long it takes without speculation.
    """

    about: About
    place: str
    trace: Trace  # its tokens; probabilities are unknown
    told: Counted
    again: Counted | None = None
    plain: tuple[Reply, ...] = ()
    problem: str = ""  # why nothing it tells can be relied on
    likeness: str = ""  # how it compares with a pair at hand

    @property
    def identity(self) -> Identity:
        """As if it were a pair: its own word for the target."""
        told = self.about.fingerprint
        return Identity(
            target_name=self.about.name,
            draft_name=f"{self.about.engine} at {self.place}",
            target_fingerprint=told,
            draft_fingerprint=told,
            tokenizer_fingerprint="",
            truncate=False,
            eos=(),
            n_vocab=0,
            context=None,
            dtype="",
            device="server",
        )

    @property
    def lookahead(self) -> Lookahead:
        """As far as a round was seen to draft."""
        return Lookahead(self.told.width)

    @property
    def sums(self) -> Mapping[str, Sums]:
        """The metrics that are known."""
        found, tally = {}, self.told.tally
        for name in COUNTED:
            over, under = (getattr(tally, part) for part in RATES[name])
            if np.isfinite(under[np.isfinite(tally.n_rounds)]).all():
                found[name] = over, under
        first, last = 1_000 * self.told.seconds.T
        n_after = np.array([max(r.n_tokens - 1, 0) for r in self.told.replies], float)
        found["time_to_first_token"] = first, np.ones_like(first)
        found["time_per_token"] = last - first, n_after
        return found

    @property
    def notes(self) -> tuple[str, ...]:
        """Which figures are exact."""
        exact = [name for name in COUNTED if name in self.sums]
        said = (
            f"{', '.join(exact)}: as {self.about.engine} counts for each request, "
            "from the second token on and not beyond a text's end"
        )
        missing = [name for name in COUNTED if name not in exact]
        no = f"{', '.join(missing)}: not judged, since it does not follow from replies"
        rest = (no if missing else "", self.likeness, self._beside_plain())
        return tuple(filter(None, (said, *rest)))

    def _beside_plain(self) -> str:
        """A draft must not change what is written; where two tokens are nearly tied,
        other arithmetic may.
        """
        if not self.plain or not self.trace.header.decoding.greedy:
            return ""
        texts = zip(self.plain, self.told.replies, strict=True)
        n_same = sum(plain.tokens == told.tokens for plain, told in texts)
        n = len(self.plain)
        return f"{n_same:,} of {n:,} greedy texts are the plain server's"

    @property
    def speedup(self) -> Sample:
        """Seconds without speculation over seconds with it, request by request."""
        alone = np.array([reply.seconds[1] for reply in self.plain], dtype=np.float64)
        return labelled(self.told.prompts).with_counts(alone, self.told.seconds[:, 1])

    def by_order(self, scope: str) -> dict[str, Estimate]:
        """For each group, by how much the same prompts were sped up more, or less,
        when they were asked again in reverse: 0 where nothing is remembered.
        """
        assert self.again is not None
        before = self.told.sample(COUNTED[0]).within(scope)
        after = self.again.sample(COUNTED[0]).within(scope)
        before = before[np.isin(before.prompt, after.prompt)]
        more, less = stats.changes(before, after), stats.changes(after, before)
        return {g: less[g] if e.value < 0 else e for g, e in more.items()}


def counts_for(
    adapter: Adapter, prompts: Sequence[Prompt], replies: Sequence[Reply], budget: int
) -> Counted:
    """The counts of these replies; one that cannot be true has none, and is named."""
    rows, broken, width = [], [], 1
    for prompt, reply in zip(prompts, replies, strict=True):
        try:
            rounds = adapter.rounds(reply)
            rows.append(row(reply, rounds, budget))
            width = max(width, rounds.width, *rounds.drafted)
        except BrokenError as error:
            broken.append(f"the reply to prompt {prompt.id!r} cannot be true: {error}")
            rows.append((UNKNOWN,) * 5)
    problem = ""
    if broken:
        problem = f"{broken[0]} ({len(broken)} of {len(replies)} replies)"
    table: NDArray[np.float64] = np.array(rows, dtype=np.float64).reshape(-1, 5)
    return Counted(prompts, replies, Tally(*table.T), width, problem)


def text_of(
    about: About, prompts: PromptSet, replies: Sequence[Reply], decoding: Decoding
) -> Trace:
    """What it wrote, -1 where it gave no ids; nothing is known of probabilities."""
    header = Header(
        target=about.name,
        target_fingerprint=about.fingerprint,
        tokenizer_fingerprint="",
        prompts=prompts.name,
        prompts_fingerprint=prompts.fingerprint,
        decoding=decoding,
        dtype="",
        device="server",
        eos=(),
    )
    ids = [reply.tokens or (-1,) * reply.n_tokens for reply in replies]
    offsets = offsets_of(np.array([len(tokens) for tokens in ids], dtype=np.int64))
    unknown = {
        name: np.full(offsets[-1], np.nan if kind is np.float32 else 0, kind)
        for name, kind in {**TEXT, **READING}.items()
    }
    tokens = np.array([t for tokens in ids for t in tokens], dtype=np.int32)
    columns = {name: unknown[name] for name in TEXT} | {"token": tokens}
    text = Text(header, tuple(prompts), offsets, columns)
    reading = {name: unknown[name] for name in READING}
    return Trace(text, Reading(about.engine, about.fingerprint, reading))
