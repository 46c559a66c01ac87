"""What comes from a stranger is data, never code; what is written lies where it
belongs; secrets stay secret.
"""

import ast
import base64
import hashlib
import io
import json
import os
import pickle
import random
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from specfair import cli
from specfair.doors import rendering
from specfair.errors import ModelError, SpecfairError
from specfair.gates import kept
from specfair.models import load
from specfair.texts import corpora, prompts, reading, tables
from specfair.traces.stored import load_text
from tests import report_samples
from tests.chaos.conftest import Chaos
from tests.chaos.hostile import answer, check_line

AREA = "security"
ROOT = Path(__file__).parents[2]
SECRETS = {
    name: f"planted-{name.lower()}-5f2c9e"
    for name in (
        "HF_TOKEN",
        "HUGGING_FACE_HUB_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "GITHUB_TOKEN",
        "OPENAI_API_KEY",
    )
}
PICKLERS = {
    "pickle",
    "cPickle",
    "_pickle",
    "dill",
    "cloudpickle",
    "joblib",
    "marshal",
    "shelve",
    "yaml",
}
LOADERS = {
    ("torch", "load"),
    ("torch", "save"),
    ("np", "load"),
    ("np", "save"),
    ("pd", "read_pickle"),
}
RUNNERS = {"eval", "exec", "compile", "__import__"}


def test_nothing_here_pickles_or_evaluates(chaos: Chaos) -> None:
    with chaos.promise(AREA, "no source pickles, unpickles or evaluates text") as tried:
        for path in (
            *(ROOT / "specfair").rglob("*.py"),
            *(ROOT / "evals").glob("*.py"),
            ROOT / "conftest.py",
        ):
            assert list(suspicious(ast.parse(path.read_text()))) == [], path
            tried.case()


def suspicious(tree: ast.AST) -> Iterator[str]:
    """What could run a stranger's data. numpy's files are data alone where pickles in
    them are refused.
    """
    harmless = {
        node.func
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and any(ast.unparse(k) == "allow_pickle=False" for k in node.keywords)
    }
    for node in ast.walk(tree):
        if node in harmless:
            continue
        if isinstance(node, ast.Import):
            yield from ({alias.name.split(".")[0] for alias in node.names} & PICKLERS)
        elif isinstance(node, ast.ImportFrom):
            yield from ({(node.module or "").split(".")[0]} & PICKLERS)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield from (
                f"{module}.{name}"
                for module, name in {(node.value.id, node.attr)} & LOADERS
            )
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield from ({node.func.id} & RUNNERS)


def test_the_search_finds_what_it_is_for() -> None:
    found = list(
        suspicious(
            ast.parse(
                "import pickle\nfrom dill import "
                "x\ntorch.load(f)\neval('1')\nre.compile('')\nnp.load(f)\n"
                "np.load(g, allow_pickle=False)"
            )
        )
    )
    assert sorted(found) == ["dill", "eval", "np.load", "pickle", "torch.load"]


HOSTILE = (
    ["../../evil", "a/b\\c", "None", "$(touch PWNED)"],
    ["\x1b[31mred", "x\n::error::pwned", "..", "overall"],
    ["C:\\evil", "`touch PWNED`", "~/.ssh/id", "\u202egnp.exe"],
)


def test_what_an_audit_writes(chaos: Chaos, tmp_path: Path) -> None:
    """A project deep in a sandbox, secrets in its environment, hostile names for
    groups, ids, files and datasets.
    """
    with chaos.promise(
        AREA,
        "nothing is written outside store and report, unpickled, or told of a secret",
    ) as tried:
        for names in HOSTILE[: chaos.n(full=3, reduced=1)]:
            check_audit(tmp_path / str(tried.promise.tried), names)
            tried.case()


def check_audit(sandbox: Path, names: list[str]) -> None:
    """One audit, one fine-tuning, and all that is left of them."""
    done, project = watched(sandbox, names)
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["code"] != cli.USAGE, done.stderr
    inside = [str(project / name) for name in ("store", "out")] + [
        str(p) for p in project.glob("*.jsonl")
    ]
    # libraries; nothing may be left there
    for_a_moment = (str(sandbox / "tmp"), os.devnull)
    strange = [
        p
        for p in seen["written"]
        if p and not p.startswith((*inside, *for_a_moment)) and p != str(project)
    ]
    assert strange == []
    files = [p for p in sandbox.rglob("*") if p.is_file() or p.is_symlink()]
    assert [p for p in files if not str(p).startswith(tuple(inside))] == []
    assert len(files) > 5
    assert seen["unpickled"] == []
    said = done.stdout.encode() + done.stderr.encode()
    for name, secret in SECRETS.items():
        assert [p for p in files if secret.encode() in p.read_bytes()] == [], name
        assert secret.encode() not in said, name


def watched(
    folder: Path, names: list[str]
) -> tuple["subprocess.CompletedProcess[str]", Path]:
    """The program of watched.py, in a sandbox."""
    project = folder / "a" / "b" / "project"
    for made in (project, folder / "home", folder / "tmp"):
        made.mkdir(parents=True)
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("COV", "PYTEST"))},
        **SECRETS,
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(folder / "home"),
    }
    command = [
        sys.executable,
        str(Path(__file__).with_name("watched.py")),
        json.dumps(names),
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=project,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done, project


class Planted:
    """What a pickle does when it is loaded: leave a trace."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.marker),))


def copied(folder: Path, **config: object) -> Path:
    """The embedded target, with other entries in its config."""
    shutil.copytree(prompts.fixtures() / "pair" / "target", folder)
    stored = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**stored, **config}))
    return folder


def with_code(folder: Path, marker: Path, **config: object) -> Path:
    """A model that brings code for its config, its model and its tokenizer."""
    mapped = {
        f"Auto{name}": f"evil.{name}"
        for name in ("Config", "Model", "ModelForCausalLM")
    }
    made = copied(folder, auto_map=mapped, **config)
    (made / "evil.py").write_text(f"import os\nos.mkdir({str(marker)!r})\n")
    settings = json.loads((made / "tokenizer_config.json").read_text())
    settings |= {
        "auto_map": {"AutoTokenizer": ["evil.Slow", "evil.Fast"]},
        "tokenizer_class": "Evil",
    }
    (made / "tokenizer_config.json").write_text(json.dumps(settings))
    return made


def with_pickle(folder: Path, marker: Path, name: str) -> Path:
    """A model whose weights are a pickle with a payload."""
    made = copied(folder)
    (made / "model.safetensors").unlink()
    (made / name).write_bytes(pickle.dumps({"weight": Planted(marker)}))
    return made


def with_index(folder: Path, _: Path, where: str) -> Path:
    """A model whose index names a file elsewhere."""
    made = copied(folder)
    shutil.move(made / "model.safetensors", made.parent / "outside.safetensors")
    (made / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": {"a": where}})
    )
    return made


MODELS: dict[str, Callable[[Path, Path], Path]] = {
    "code for a type that is known": with_code,
    "code for a type that is not": lambda f, m: with_code(
        f, m, model_type="evil", architectures=["Evil"]
    ),
    "a pickle": lambda f, m: with_pickle(f, m, "pytorch_model.bin"),
    "a pickle under another name": lambda f, m: with_pickle(f, m, "model.safetensors"),
    "weights elsewhere": lambda f, m: with_index(f, m, "../outside.safetensors"),
    "weights at a path": lambda f, m: with_index(
        f, m, str(f.parent / "outside.safetensors")
    ),
    "an index without names": lambda f, m: with_index(f, m, 7),  # type: ignore[arg-type]  # that is what is tried
}


def test_a_model_from_a_stranger_runs_no_code(chaos: Chaos, tmp_path: Path) -> None:
    with chaos.promise(
        AREA, "code and pickles that come with a model are refused, and never run"
    ) as tried:
        for kind, make in MODELS.items():
            marker = tmp_path / kind / "PWNED"
            folder = str(make(tmp_path / kind / "model", marker))
            with pytest.raises(ModelError) as caught:
                load.load(folder, folder, device="cpu")
            check_line(str(caught.value))
            assert not marker.exists(), kind
            tried.case()


def deep(path: Path) -> None:
    path.write_text('{"text": ' + "[" * 900 + "]" * 900 + "}\n")


def very_deep(path: Path) -> None:
    path.write_text("[" * 500_000)


def endless(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(tables.MAX_TABLE + 1)  # no byte of it is on disk


def packed(path: Path) -> None:
    text = pa.DictionaryArray.from_arrays(
        pa.array([0] * 2**20, pa.int32()), pa.array(["x" * 2**19])
    )
    pq.write_table(pa.table({"group": text, "text": text}), path)


def counted(path: Path) -> None:
    """So many rows that say nothing."""
    zeros = pa.array([False]).take(pa.array([0] * 2**20))
    with pq.ParquetWriter(path, pa.schema({"prompt": pa.bool_()})) as writer:
        for _ in range(64):
            writer.write_table(pa.table({"prompt": zeros}), row_group_size=2**20)


def headed(path: Path) -> None:
    metadata = {"specfair": '{"schema": ' + "[" * 200_000}
    pq.write_table(pa.table({"prompt": [0]}).replace_schema_metadata(metadata), path)


BOMBS = {
    ".jsonl": (deep, very_deep, endless),
    ".json": (deep, very_deep, endless),
    ".parquet": (packed, counted, headed, endless),
}


def readers(path: Path) -> tuple[Callable[[], object], ...]:
    """Whatever reads a file of this kind."""
    return {
        ".json": (
            lambda: rendering.read_run(path),
            lambda: kept.read_file(path, path.name),
            lambda: prompts.load(f"bold/gender:{path}"),
        ),
        ".jsonl": (
            lambda: prompts.load(f"file:{path}"),
            lambda: corpora.load(f"file:{path}"),
        ),
        ".parquet": (lambda: prompts.load(f"file:{path}"), lambda: load_text(path)),
    }[path.suffix]


def test_bombs_are_refused_before_they_go_off(chaos: Chaos, tmp_path: Path) -> None:
    """By every reader, each in seconds, and all with less than 600 MiB more than
    before.
    """
    with chaos.promise(
        AREA,
        "deep, endless and packed files are refused with their limit, in little memory",
    ) as tried:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for suffix, made in BOMBS.items():
            for make in made:
                path = tmp_path / f"{make.__name__}{suffix}"
                make(path)
                for read in readers(path):
                    assert answer(read), path
                    tried.case()
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600 * 1024


PAYLOADS = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "javascript:alert(1)",
    "\"' onerror=alert(1) x='",
    "--></style></svg></bdi><img src=x onerror=alert(1)><iframe srcdoc=x>",
    "{{ 7 * 7 }}${7*7}<base href=//evil.example>",
)


class Live(HTMLParser):
    """Whatever of a page could run or fetch something."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.scripts: list[str] = []
        self.policy = ""
        self.within = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.within = tag
        values = {name: value or "" for name, value in attrs}
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"]
        elif (
            tag in ("iframe", "object", "embed", "base", "form", "link", "img")
            or "http-equiv" in values
        ):
            self.found.append(tag)
        for name, value in values.items():
            outside = name in (
                "href",
                "src",
                "xlink:href",
                "action",
                "srcdoc",
            ) and not value.startswith("#")
            if name.startswith("on") or outside:
                self.found.append(f"{tag} {name}={value}")

    def handle_data(self, data: str) -> None:
        if self.within == "script" and data.strip():
            self.scripts.append(data)

    def handle_endtag(self, _: str) -> None:
        self.within = ""


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where texts stand in a structure."""
    if isinstance(value, str):
        yield path
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, one in inner:
        yield from places(one, (*path, key))


def put(value: Any, path: tuple[Any, ...], text: str) -> Any:
    """The structure with another text at the place, its parts otherwise shared."""
    if not path:
        return text
    made = value.copy()
    made[path[0]] = put(value[path[0]], path[1:], text)
    return made


def test_no_text_of_a_run_becomes_live(chaos: Chaos, tmp_path: Path) -> None:
    with chaos.promise(
        AREA, "no text of a run file becomes script, link or element of a page"
    ) as tried:
        stored = json.loads(report_samples.texts_only().to_json())
        plain = live(report_samples.texts_only().to_json(), tmp_path)
        assert plain is not None
        every = [(place, payload) for place in places(stored) for payload in PAYLOADS]
        n = chaos.n(full=1_000, reduced=15)
        for place, payload in random.Random(0).sample(every, n):
            found = live(json.dumps(put(stored, place, payload)), tmp_path)
            if found is not None:
                assert found.found == plain.found == ["form"], (place, payload)
                assert found.scripts == plain.scripts, (place, payload)
                assert found.policy == plain.policy
                tried.note("shown")
            tried.case()


def live(run: str, folder: Path) -> Live | None:
    """What is live in the page of a run; None where the run is refused, in one line."""
    (folder / "run.json").write_text(run)
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = cli.main(["report", str(folder / "run.json")])
    if code != cli.OK:
        check_line(err.getvalue().strip())
        return None
    page = Live()
    page.feed(out.getvalue())
    return page


def test_the_page_runs_its_own_script_and_no_other(tmp_path: Path) -> None:
    page = live(report_samples.texts_only().to_json(), tmp_path)
    assert page is not None
    assert len(page.scripts) == 1
    digest = base64.b64encode(
        hashlib.sha256(page.scripts[0].encode()).digest()
    ).decode()
    assert page.policy.startswith("default-src 'none'")
    assert f"script-src 'sha256-{digest}'" in page.policy


def test_a_live_page_would_be_noticed() -> None:
    page = Live()
    page.feed("<script>x</script><img src=x onerror=y><a href='javascript:z'>")
    assert page.found == ["img", "img src=x", "img onerror=y", "a href=javascript:z"]
    assert page.scripts == ["x"]


def test_limits_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_JSON", 10)
    (tmp_path / "a.json").write_text("[1, 2, 3, 4, 5]")
    with pytest.raises(SpecfairError, match=r"larger than 10 bytes"):
        rendering.read_run(tmp_path / "a.json")
