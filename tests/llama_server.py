"""llama.cpp's own server with the embedded pair, in a process of its own: the real
thing that the adapter is held to.

`python -m tests.llama_server FOLDER PORT [OPTION=VALUE ...]` serves until it is killed.
"""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import load_file

from specfair.models.folders import Source, locate

ROOT = Path(__file__).parents[1]
N_MAX = 5  # tokens that a round drafts


def convert(folder: Path, path: Path) -> None:
    """A Llama with byte-level BPE, from safetensors to GGUF, all in float32."""
    config = json.loads((folder / "config.json").read_text())
    n_heads, head = config["num_attention_heads"], config["head_dim"]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(folder.name)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(n_heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    for add in (writer.add_key_length, writer.add_value_length):
        add(head)
    writer.add_rope_dimension_count(head)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    _add_tokenizer(writer, folder, config)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    for name, values in load_file(folder / "model.safetensors").items():
        data = values.astype(np.float32)
        heads = {"q_proj": n_heads, "k_proj": config["num_key_value_heads"]}
        n = next((heads[part] for part in heads if part in name), 0)
        if n:  # llama.cpp turns pairs of neighbours, transformers turns halves
            halves = data.reshape(n, 2, head // 2, -1)
            data = halves.swapaxes(1, 2).reshape(data.shape)
        short = names.get_name(name, try_suffixes=(".weight",))
        assert short is not None, name
        writer.add_tensor(short, np.ascontiguousarray(data))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_tokenizer(writer: gguf.GGUFWriter, folder: Path, config: dict) -> None:
    rules = json.loads((folder / "tokenizer.json").read_text())
    vocab = dict(rules["model"]["vocab"])
    special = {t["content"]: t["id"] for t in rules["added_tokens"] if t["special"]}
    by_id = {i: token for token, i in (vocab | special).items()}
    ids = range(config["vocab_size"])
    kinds = [
        gguf.TokenType.CONTROL if i in special.values() else gguf.TokenType.NORMAL
        for i in ids
    ]
    merges = [
        m if isinstance(m, str) else " ".join(m) for m in rules["model"]["merges"]
    ]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([by_id.get(i, f"[unused{i}]") for i in ids])
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    eos = config["eos_token_id"]
    writer.add_eos_token_id(eos)
    writer.add_bos_token_id(eos)
    writer.add_add_bos_token(False)


def free_port() -> int:
    """One that nobody listens at, as far as can be known."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def converted(folder: Path) -> Path:
    """The embedded pair in the folder, as target.gguf and draft.gguf."""
    for role in ("target", "draft"):
        path = folder / f"{role}.gguf"
        if not path.exists():
            convert(Path(locate(Source("embedded"), role)), path)
    return folder


def start(folder: Path, port: int, *options: str) -> subprocess.Popen:
    """The server's process, once it answers."""
    command = [sys.executable, "-m", "tests.llama_server", str(folder), str(port)]
    log = folder / f"{port}.log"
    with log.open("w") as told:
        process = subprocess.Popen(
            [*command, *options], cwd=ROOT, stdout=told, stderr=told
        )
    answering(process, port, log, seconds=60)
    return process


def answering(
    process: subprocess.Popen, port: int, log: Path, *, seconds: float
) -> None:
    """Wait until the server does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()[-2_000:]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    process.kill()
    raise AssertionError(log.read_text()[-2_000:])


@contextmanager
def serving(folder: Path, *options: str, port: int = 0) -> Iterator[str]:
    """Where it answers, for as long as the block takes."""
    port = port or free_port()
    process = start(folder, port, *options)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def main(folder: str, port: str, *options: str) -> None:
    """Serve until killed."""
    import xllamacpp  # here, so that the tests' own process needs no second copy

    asked = dict(option.split("=") for option in options)
    kinds = xllamacpp.common_speculative_type
    params = xllamacpp.CommonParams()
    params.model.path = f"{folder}/target.gguf"
    params.n_ctx, params.n_parallel = 1024, int(asked.get("slots", 2))
    params.port, params.endpoint_metrics = int(port), True
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    speculative, kind = params.speculative, asked.get("kind", "DRAFT_SIMPLE")
    speculative.draft.n_max, speculative.draft.n_min = N_MAX, 0
    speculative.draft.p_min = 0.0
    if kind == "DRAFT_SIMPLE":
        speculative.draft.mparams.path = f"{folder}/draft.gguf"
        for threads in (speculative.draft.cpuparams, speculative.draft.cpuparams_batch):
            threads.n_threads = 1
    if kind == "NGRAM_MOD":
        shared = speculative.ngram_mod
        shared.n_match, shared.n_min, shared.n_max = 4, 1, N_MAX
    speculative.types = [getattr(kinds, f"COMMON_SPECULATIVE_TYPE_{kind}")]
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main(*sys.argv[1:])
