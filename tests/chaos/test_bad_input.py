"""Whatever a file or a command line says: done, or one line with a way out and the
right exit code, never a traceback.

Cases are made by hypothesis: structures with parts replaced, bytes changed, options and
values at random.
"""

import contextlib
import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specfair import cli, config, project
from specfair.decoding import Decoding
from specfair.errors import StoreError
from specfair.gates import bounds, kept
from specfair.texts import corpora, prompts
from specfair.texts.mentions import count_mentions
from specfair.traces.stored import load_text, save_text
from specfair.vocabulary import BASE, DATASETS, Stage
from tests import report_samples
from tests.chaos.conftest import Chaos
from tests.chaos.hostile import (
    NUMBERS,
    SCALARS,
    TEXT,
    VALUES,
    answer,
    bitten,
    check_line,
    mutated,
    often,
)
from tests.gates.test_baseline import make
from tests.hub_stand_in import cache_in
from tests.made_traces import trace_of

AREA = "bad input"
COLUMNS = ("group", "text", "cluster", "identity", "template", "id")
GROUPS = prompts.load("embedded").groups


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of its own for whatever is written by mistake, and no network to wait
    for.
    """
    cache_in(tmp_path / "cache", monkeypatch)
    monkeypatch.setattr(
        "specfair.texts.hub.unreachable", lambda: "there is no hub here"
    )
    monkeypatch.setattr(
        "specfair.models.folders.unreachable", lambda: "there is no hub here"
    )
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")


ROWS = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {
                "group": st.sampled_from(["a", "b", "None"]),
                "text": st.sampled_from(["one", "two"]),
            }
        ),
        st.fixed_dictionaries(
            {"group": TEXT, "text": TEXT}, optional=dict.fromkeys(COLUMNS[2:], SCALARS)
        ),
        st.dictionaries(st.sampled_from(COLUMNS), VALUES, max_size=6),
    ),
    min_size=1,
    max_size=6,
)


@st.composite
def table(draw: st.DrawFn) -> tuple[str, bytes]:
    """A file of prompts or documents: its suffix and its bytes."""
    suffix = draw(st.sampled_from([".jsonl", ".csv", ".tsv", ".parquet"]))
    rows = draw(ROWS)
    whole = {".jsonl": _jsonl, ".csv": _csv, ".tsv": _tsv, ".parquet": _parquet}[
        suffix
    ](rows)
    return suffix, draw(bitten(whole))


def _jsonl(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _csv(rows: list[dict[str, Any]]) -> bytes:
    file = io.StringIO()
    writer = csv.DictWriter(
        file, sorted({name for row in rows for name in row}) or ["group"]
    )
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode("utf-8", "surrogatepass")


def _tsv(rows: list[dict[str, Any]]) -> bytes:
    names = sorted({name for row in rows for name in row})
    lines = [names, *([str(row.get(name, "")) for name in names] for row in rows)]
    return "\n".join("\t".join(line) for line in lines).encode("utf-8", "surrogatepass")


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    file = io.BytesIO()
    try:
        pq.write_table(pa.Table.from_pylist(rows), file)
    # what no Parquet file can hold
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        texts = [
            {k: str(v).encode("utf-8", "replace").decode() for k, v in row.items()}
            for row in rows
        ]
        pq.write_table(pa.Table.from_pylist(texts or [{"group": "a"}]), file)
    return file.getvalue()


def test_prompt_files(chaos: Chaos) -> None:
    with chaos.promise(
        AREA, "a prompt file of any content is read, or refused in one line"
    ) as tried:

        @often(chaos.n(full=3_000, reduced=60))
        @given(
            table(), st.sampled_from(["drop", "keep"]), st.sampled_from([None, 1, 2])
        )
        def fuzz(made: tuple[str, bytes], ambiguous: str, n: int | None) -> None:
            path = Path(f"mine{made[0]}")
            path.write_bytes(made[1])

            def use() -> None:
                found = prompts.load(f"file:{path}", ambiguous=ambiguous, n_per_group=n)
                assert found.fingerprint
                assert all(p.text.strip() and p.group for p in found)
                count_mentions(["one two queer"], found.terms)
                found.require(1)

            tried.note("refused", bool(answer(use)))
            tried.case()

        fuzz()


def test_corpora(chaos: Chaos) -> None:
    with chaos.promise(
        AREA, "a corpus of any content is read, or refused in one line"
    ) as tried:

        @often(chaos.n(full=800, reduced=8))
        @given(
            table(),
            st.sampled_from(["", "#text", "#group", "#no"]),
            st.sampled_from([None, *DATASETS]),
        )
        def fuzz(made: tuple[str, bytes], column: str, name: str | None) -> None:
            path = Path(f"mine{made[0]}")
            path.write_bytes(made[1])

            def use() -> None:
                found = (
                    corpora.load(name, str(path))
                    if name
                    else corpora.load(f"file:{path}{column}")
                )
                assert found.fingerprint
                count_mentions(found.train, {"a": ("one",)})

            tried.note("refused", bool(answer(use)))
            tried.case()

        fuzz()


def toml(value: Any) -> str:
    """A value as TOML writes it; what TOML cannot say becomes a text."""
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case list() | tuple():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return (
                "{"
                + ", ".join(f"{toml(str(k))} = {toml(v)}" for k, v in value.items())
                + "}"
            )
    return json.dumps(str(value).encode("utf-8", "replace").decode())


KEYS = st.sampled_from(
    [*(option.name for option in config.OPTIONS), "gates", "datasset"]
)
PATHS = st.one_of(
    st.sampled_from(
        ["gap", "imdb", "queer", "gain", "alpha", "bound", "min_effect", "base.gap"]
    ),
    TEXT,
)
GATES = st.recursive(
    st.one_of(
        SCALARS,
        st.fixed_dictionaries({"bound": SCALARS}, optional={"min_effect": SCALARS}),
    ),
    lambda inner: st.dictionaries(PATHS, inner, max_size=3),
    max_leaves=5,
)


def test_configuration(chaos: Chaos) -> None:
    with chaos.promise(
        AREA, "any [tool.specfair] is taken, or refused in one line"
    ) as tried:
        keys = st.dictionaries(KEYS, st.one_of(VALUES, SCALARS), max_size=3)
        usual = [option.default for option in config.OPTIONS] + [
            1,
            0.5,
            "imdb",
            "file:a b.jsonl#c",
            "constant-3",
        ]
        close = st.dictionaries(
            KEYS.filter(lambda key: key != "gates"), st.sampled_from(usual), max_size=2
        )
        tables = st.one_of(keys, close, st.fixed_dictionaries({"gates": GATES}), VALUES)

        @often(chaos.n(full=1_500, reduced=25))
        @given(
            st.one_of(
                tables.map(lambda t: f"[tool]\nspecfair = {toml(t)}".encode()),
                st.binary(max_size=60),
            )
        )
        def fuzz(text: bytes) -> None:
            Path("pyproject.toml").write_bytes(text)

            def use() -> None:
                home = project.find(Path.cwd())
                found = config.load(home, {})
                rules = bounds.all_rules(home.table, (), found.compared)
                assert found.prompts_spec
                assert str(found.deployed)
                assert str(found.decoding)
                assert isinstance(found.compared, tuple)
                bounds.check_groups(rules, GROUPS)
                for kind in ("gap", "gain"):
                    where = bounds.Where(Stage("imdb"), "queer")
                    bounds.bound_for(rules, kind, where)

            tried.note("refused", bool(answer(use)))
            tried.case()

        fuzz()


def test_gate_rules(chaos: Chaos) -> None:
    with chaos.promise(AREA, "any gate rule is taken, or refused in one line") as tried:
        part = st.sampled_from(
            [
                "<=",
                ">=",
                "=",
                ".",
                "~",
                "±",
                "0.1",
                "-1",
                "1e999",
                "off",
                '"',
                "\\",
                "[",
                "]",
                "{",
            ]
        )
        path = st.lists(
            st.sampled_from(["imdb", "base", "queer", "alpha", "kl", '"a b"', "gap"]),
            max_size=2,
        )
        kinds = st.sampled_from(
            ["gap<=", "gain>=", "ratio>=", "improve>=", "gap=", "gap>=", "regression>="]
        )
        sound = st.builds(
            lambda p, k, n: ".".join([*p, k]) + n,
            path,
            kinds,
            st.one_of(NUMBERS.map(str), part),
        )
        rule = st.one_of(
            sound,
            st.lists(st.one_of(part, PATHS, NUMBERS.map(str)), max_size=7).map("".join),
        )

        @often(chaos.n(full=1_500, reduced=25))
        @given(st.one_of(rule, st.text(max_size=20)))
        def fuzz(text: str) -> None:
            def use() -> None:
                found = bounds.parse_rule(text)
                bounds.check_groups([found], GROUPS)
                where = bounds.Where(found.stage or BASE, found.group)
                bounds.bound_for([found], found.kind, where)

            tried.note("refused", bool(answer(use)))
            tried.case()

        fuzz()


def command(*arguments: str) -> tuple[int, str]:
    """One command in this process: its exit code, and what it refused with; its last
    line must be one of ours.
    """
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = cli.main(arguments)
        except SystemExit as stop:  # argparse has said why
            code, said = int(stop.code or 0), ""
            if code not in (cli.OK, cli.USAGE):
                raise
            return code, said
    said = err.getvalue().strip()
    if code == cli.USAGE:
        assert said.startswith("specfair: "), arguments
        check_line(said)
    return code, said


def test_baselines(chaos: Chaos) -> None:
    """The checksum is made right again, so that what is behind it is what is tried."""
    with chaos.promise(
        AREA,
        (
            "a baseline of any content is compared, or refused in one line with "
            "exit code 2"
        ),
    ) as tried:
        good = kept.dumps(make(base=0.0, imdb=0.1))
        Path("good.json").write_text(good)
        body = {
            k: v for k, v in json.loads(good).items() if k not in ("schema", "checksum")
        }

        def signed(body: Any) -> bytes:
            text = json.dumps(body, sort_keys=True)
            checksum = hashlib.sha256(text.encode()).hexdigest()
            whole = (
                {"schema": 1, "checksum": checksum, **body}
                if isinstance(body, dict)
                else body
            )
            return json.dumps(whole).encode()

        forms = st.sampled_from(["text", "md", "json", "junit"])

        @often(chaos.n(full=1_000, reduced=15))
        @given(
            st.one_of(mutated(body, 2).map(signed), bitten(good.encode())),
            forms,
            st.booleans(),
        )
        def fuzz(text: bytes, form: str, first: bool) -> None:
            Path("bad.json").write_bytes(text)
            names = ("bad.json", "good.json") if first else ("good.json", "bad.json")
            code, _ = command("compare", *names, "--format", form)
            tried.note("refused", code == cli.USAGE)
            tried.case()

        fuzz()


def test_runs(chaos: Chaos) -> None:
    with chaos.promise(
        AREA,
        (
            "a run file of any content is rendered, or refused in one line with "
            "exit code 2"
        ),
    ) as tried:
        good = json.loads(report_samples.texts_only().to_json())
        Path("good.json").write_text(json.dumps(good))
        forms = st.sampled_from(["html", "md", "json", "index"])
        texts = mutated(good, 2).map(lambda run: json.dumps(run).encode())

        @often(chaos.n(full=800, reduced=12))
        @given(st.one_of(texts, texts, texts, bitten(json.dumps(good).encode())), forms)
        def fuzz(text: bytes, form: str) -> None:
            Path("bad.json").write_bytes(text)
            more = ("good.json",) if form == "index" else ("--format", form)
            code, _ = command("report", "bad.json", *more)
            tried.note("refused", code == cli.USAGE)
            tried.case()

        fuzz()


def test_traces(chaos: Chaos) -> None:
    with chaos.promise(
        AREA, "a stored text of any content is read, or refused in one line"
    ) as tried:
        save_text(
            trace_of(
                [[1, 2], [3, 4, 5]], [[1, 3], [3, 4, 6]], decoding=Decoding(5)
            ).text,
            Path("good"),
        )
        good = Path("good").read_bytes()
        stored = pq.read_table("good")
        header = json.loads(stored.schema.metadata[b"specfair"])

        def headed(header: Any) -> bytes:
            file = io.BytesIO()
            pq.write_table(
                stored.replace_schema_metadata(
                    {b"specfair": json.dumps(header).encode()}
                ),
                file,
            )
            return file.getvalue()

        @often(chaos.n(full=800, reduced=15))
        @given(st.one_of(mutated(header).map(headed), bitten(good)))
        def fuzz(text: bytes) -> None:
            Path("bad").write_bytes(text)

            def use() -> None:
                found = load_text(Path("bad"))
                assert found.offsets[-1] == len(found.columns["token"])
                assert len(found.prompts) == len(found.lengths)
                assert str(found.header.decoding)

            tried.note("refused", bool(answer(use)))
            tried.case()

        fuzz()


ABSENT = ("--target", "./absent", "--draft", "./absent")  # so that no model runs
ANYTHING = st.one_of(
    TEXT,
    NUMBERS.map(str),
    st.sampled_from(["good.json", "folder", "/", "~nobody-at-all/x", "@", "#"]),
)
PLACES = st.sampled_from(
    [
        "honest:",
        "bold:",
        "bold/gender:",
        "holistic_bias:",
        "mgsm:",
        "file:",
        "embedded/",
        "hub:",
    ]
)
SPECS = st.builds(
    "{}{}".format,
    PLACES,
    st.sampled_from(["folder", "good.json", "nowhere", "x" * 300, "\0", "..", "#"]),
)


@st.composite
def command_line(draw: st.DrawFn) -> list[str]:
    """A command with options and values of every kind; none of them gets as far as a
    model.
    """
    match draw(
        st.sampled_from(
            [
                "audit",
                "audit",
                "report",
                "compare",
                "prompts",
                "corpora",
                "doctor",
                "other",
            ]
        )
    ):
        case "audit":
            names = [
                o.name.replace("_", "-")
                for o in config.OPTIONS
                if o.name not in ("target", "draft")
            ]
            options = draw(
                st.lists(
                    st.tuples(st.sampled_from([*names, "gate"]), ANYTHING), max_size=3
                )
            )
            return ["audit", *(f"--{name}={value}" for name, value in options), *ABSENT]
        case "report":
            return [
                "report",
                *draw(st.lists(ANYTHING, max_size=2)),
                "--format",
                draw(st.sampled_from(["md", "json", "x"])),
            ]
        case "compare":
            return [
                "compare",
                draw(ANYTHING),
                draw(ANYTHING),
                *draw(st.lists(ANYTHING.map("--gate={}".format), max_size=1)),
            ]
        case "prompts":
            return [
                "prompts",
                draw(st.one_of(SPECS, ANYTHING)),
                *draw(st.sampled_from([[], ["--list"]])),
            ]
        case "corpora":
            sources = draw(
                st.lists(
                    st.one_of(SPECS, ANYTHING).map("--source={}".format), max_size=1
                )
            )
            name = st.one_of(
                st.sampled_from(["imdb", "file:folder", "file:good.json#x"]), ANYTHING
            )
            return ["corpora", draw(name), *sources]
        case "doctor":
            return ["doctor", f"--store={draw(ANYTHING)}"]
    return draw(st.lists(ANYTHING, max_size=3))


def test_command_lines(chaos: Chaos) -> None:
    with chaos.promise(
        AREA, "any command line works, or is refused in one line with exit code 2"
    ) as tried:
        Path("folder").mkdir()
        Path("good.json").write_text("{}")
        Path("../pyproject.toml").write_text(
            "[tool.specfair]\nmax_new_tokens = 3\n"
        )  # its project is not where it runs

        @often(chaos.n(full=1_000, reduced=25))
        @given(command_line())
        def fuzz(arguments: list[str]) -> None:
            before = sorted(Path.cwd().parent.rglob("*"))
            code, _ = command(*arguments)
            assert sorted(Path.cwd().parent.rglob("*")) == before
            tried.note("refused", code == cli.USAGE)
            tried.case()

        fuzz()


def test_what_is_tried_can_fail() -> None:
    """The judge of all cases above refuses a line without a way out."""
    with pytest.raises(AssertionError):
        answer(lambda: (_ for _ in ()).throw(StoreError("damaged")))
    with pytest.raises(ZeroDivisionError):
        answer(lambda: 1 / 0)
