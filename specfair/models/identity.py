"""What a pair is before it is opened: names, fingerprints, where its texts end, what
fits into it, on which device and in which precision.

Only opening a pair tells all of that, so what it told is kept, under the digests of
every file it was read from. Asking again then needs neither torch nor weights. Knows
files and what they say; does not know models.
"""

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from specfair.errors import StoreError
from specfair.models.folders import Source, described, fingerprint, locate
from specfair.models.kinds import kind_of

_DRIVERS = ("dev/nvidia[0-9]*", "dev/kfd", "dev/dxg")
_MODELS = "proc/driver/nvidia/gpus/*/information"
_SHOWN = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")


@dataclass(frozen=True, slots=True)
class Identity:
    """Everything about a pair that what it writes depends on, and its names."""

    target_name: str
    draft_name: str
    target_fingerprint: str
    draft_fingerprint: str
    tokenizer_fingerprint: str
    truncate: bool
    eos: tuple[int, ...]
    n_vocab: int  # tokens that both models have
    context: int | None
    dtype: str  # as torch calls it: torch.float32
    device: str  # its type: cpu, cuda
    first_choice: bool = False  # whether the draft proposes that, also when sampling
    # of the target's tokens those that the draft cannot propose, where it has a
    # vocabulary of its own
    n_beyond: int | None = None

    @property
    def limits(self) -> str:
        """What is to be said of the draft's vocabulary, where that is its own."""
        if self.n_beyond is None:
            return ""
        why = "are not in the draft's reduced vocabulary"
        if kind_of(self.draft_name).of_files:
            why = "have no twin in the draft's, whose tokenizer is another"
        return f"{self.n_beyond:,} of the target's tokens {why}: it never proposes them"

    @property
    def kept(self) -> dict[str, Any]:
        """What is remembered of it; names belong to who asks."""
        return {k: v for k, v in asdict(self).items() if not k.endswith("_name")}

    @classmethod
    def of(cls, kept: Mapping[str, Any], names: tuple[str, str]) -> "Identity":
        """As it is remembered, under these names."""
        known = {**kept, "eos": tuple(kept["eos"])}
        return cls(target_name=names[0], draft_name=names[1], **known)


@dataclass(frozen=True, slots=True)
class Loading:
    """How a pair is loaded, beside device and dtype."""

    allow_pickle: bool = False
    # as in from_pretrained, for models larger than one device
    device_map: str | None = None
    # cut prompts that do not fit the context from the left, instead of refusing them
    truncate: bool = False
    # whether the draft proposes its first choice, also when sampling
    first_choice: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """A pair as it was asked for: two models, how to open them, and what to call
    them.
    """

    target: str  # a folder, a hub id ("name" or "name@revision") or "embedded"
    draft: str  # the same, or a way to draft without a model (see `kinds`)
    names: tuple[str, str]
    device: str = "auto"
    dtype: str = "auto"
    loading: Loading = field(default_factory=Loading)

    @property
    def key(self) -> dict[str, Any]:
        """All that decides what the pair will turn out to be when it is opened."""
        asked = {"device": self.device, "dtype": self.dtype, **asdict(self.loading)}
        return {
            "target": self._read("target"),
            "draft": self._read("draft"),
            "asked": asked,
            "machine": machine(),
            "versions": versions(),
        }

    def _read(self, role: str) -> dict[str, Any]:
        kind = kind_of(getattr(self, role))
        if role == "draft" and not kind.place:
            return {"kind": kind.written}
        source = Source(kind.place, self.loading.allow_pickle)
        folder = locate(source, role)
        found = {"weights": fingerprint(folder, source), "files": described(folder)}
        return found if kind.of_files else {"kind": kind.name, **found}


@cache
def versions() -> dict[str, str]:
    """The versions a result depends on."""
    found = {}
    for name in ("specfair", "torch", "transformers"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # run from a checkout that is not installed
            found[name] = "unknown"
    return found


def usual_here() -> str:
    """What transformers' assisted generation does on this machine where nothing else is
    asked of it: that another library is there changes it.
    """
    try:
        version("scikit-learn")
        return "adaptive-20@0.4 (scikit-learn is installed; without it confidence)"
    except PackageNotFoundError:
        return "confidence-20@0.4 (with scikit-learn installed adaptive)"


def machine() -> dict[str, Any]:
    """What `auto` rests on here, without asking torch: the system, the devices that
    drivers show, which GPUs they are, and which of them are hidden.

    A driver that breaks or is mended without its device files changing is not seen;
    it is noticed when the pair is opened next (see `refuse_another`).
    """
    root = Path("/")
    shown = [str(path) for each in _DRIVERS for path in root.glob(each)]
    gpus = [path.read_text("utf-8") for path in root.glob(_MODELS)]
    models = [line for text in gpus for line in text.split("\n") if "Model:" in line]
    hidden = {name: os.environ[name] for name in _SHOWN if name in os.environ}
    return {
        "system": [platform.system(), platform.machine()],
        "devices": sorted(shown),
        "gpus": sorted(models),
        "hidden": hidden,
    }


def refuse_another(remembered: Identity, opened: Identity, place: Path) -> None:
    """An opened pair must be what was remembered of it."""
    old, new = asdict(remembered), asdict(opened)
    differing = [name for name in old if old[name] != new[name]]
    if differing:
        name = differing[0]
        raise StoreError(
            f"pair {remembered.target_name!r} has {name} {new[name]!r}; the store "
            f"remembers {old[name]!r}. Its files or this machine's driver changed: "
            f"remove {str(place)!r} and run again."
        )
