"""vLLM's own server, in a venv of its own: `make test-vllm` sets it up and runs this. A
third party's build for CPUs, whose attention has no heads of fewer than 32 dimensions
and whose sampling under speculation is wrong, so texts are greedy.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from specfair import config
from specfair.audit.audit import Audit
from specfair.models.folders import Source, locate
from specfair.vocabulary import BASE
from tests.llama_server import answering, free_port

PYTHON = os.environ.get("VLLM_PYTHON", "")
pytestmark = pytest.mark.skipif(not PYTHON, reason="make test-vllm sets it up")

TARGET = Path(locate(Source("embedded"), "target"))
N_LAYERS = 3  # of the target, which are its draft


@pytest.fixture(scope="module")
def draft(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The target's first layers, as a model."""
    folder = tmp_path_factory.mktemp("draft")
    for path in TARGET.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    place = folder / "config.json"
    stated = json.loads(place.read_text()) | {"num_hidden_layers": N_LAYERS}
    place.write_text(json.dumps(stated))
    kept = {
        name: values
        for name, values in load_file(folder / "model.safetensors").items()
        if ".layers." not in name or int(name.split(".")[2]) < N_LAYERS
    }
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@contextmanager
def vllm(folder: Path, speculative: dict[str, object]) -> Iterator[str]:
    port = free_port()
    environment = {
        **os.environ,
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
    }
    environment.pop("PYTHONPATH", None)
    command = [
        *(PYTHON, "-m", "vllm.entrypoints.openai.api_server", "--model", str(TARGET)),
        *("--port", str(port), "--host", "127.0.0.1", "--dtype", "float32"),
        *("--max-model-len", "256", "--enforce-eager", "--max-num-seqs", "8"),
        *("--speculative-config", json.dumps(speculative)),
        *("--per-request-spec-decode-metrics", "detailed"),
    ]
    log = folder / "vllm.log"
    with log.open("w") as told:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=told, stderr=told
        )
        try:
            answering(process, port, log, seconds=240)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(60)


def audit_of(url: str, folder: Path, draft: str) -> Audit:
    asked = {"server": url, "prompts": "embedded", "store": str(folder / "store")}
    asked |= {"target": str(TARGET), "draft": draft}
    how = {"max_new_tokens": 25, "prompts_per_group": 30, "min_prompts": 2}
    return Audit(config.override(config.Settings(), {**asked, **how}), print)


def test_a_draft_model_counts_as_its_replay(tmp_path: Path, draft: Path) -> None:
    """300 requests: the same tokens and the same counts, all five of them."""
    method = {"method": "draft_model", "model": str(draft)}
    with vllm(tmp_path, {**method, "num_speculative_tokens": 5}) as url:
        audit = audit_of(url, tmp_path, f"early-exit:{N_LAYERS}")
        assert audit.doubt("base") == ""
    assert "300 of 300 requests count as a replay" in audit.notes[-1]
    assert "acceptance_rate" in audit.base.given


def test_n_grams_are_counted_by_step(tmp_path: Path) -> None:
    """Steps without a match are in no list; tokens for each step follow all the
    same.
    """
    method = {"method": "ngram", "prompt_lookup_min": 1, "prompt_lookup_max": 3}
    with vllm(tmp_path, {**method, "num_speculative_tokens": 5}) as url:
        audit = audit_of(url, tmp_path, "ngram:5,1-3")
        assert audit.doubt("base") == ""
    served = audit.made.found(BASE).served
    assert served is not None
    assert np.isfinite(served.told.tally.n_rounds).all()
    assert next(iter(audit.base.given)) == "mean_acceptance_length"
