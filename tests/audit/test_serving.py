"""A server is audited as a pair is: llama.cpp's own, started here with the embedded
pair, and a simulated one that misbehaves.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specfair import cli, config
from specfair.audit.audit import Audit
from specfair.audit.serving import interleaved
from specfair.decoding import Decoding, Lookahead
from specfair.engine.tracer import trace
from specfair.errors import ModelError
from specfair.models.folders import Source, locate
from specfair.models.load import load
from specfair.texts import prompts
from specfair.traces.counting import SERVED
from specfair.traces.replay import replay
from specfair.vocabulary import BASE
from tests.here import run
from tests.llama_server import N_MAX, ROOT, converted, free_port, serving, start
from tests.servers.simulated import FAULTS, Simulated, events_of, rounds_of

PAIR = [locate(Source("embedded"), role) for role in ("target", "draft")]
COUNTS = ("n_new_tokens", "n_rounds", "n_drafted", "n_tested", "n_accepted")
SMALL = {
    "groups": "female,male,queer",
    "max_new_tokens": 12,
    "prompts_per_group": 8,
    "min_prompts": 8,
}


def audit_of(url: str, folder: Path, **changes: Any) -> tuple[Audit, list[str]]:
    said: list[str] = []
    asked = {"server": url, "prompts": "embedded", "store": str(folder), **changes}
    asked = {"min_prompts": 2, "timeout": 5.0, **asked}
    return Audit(config.override(config.Settings(), asked), said.append), said


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return converted(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def real(llama: Path) -> Iterator[str]:
    """llama.cpp with the embedded pair and two slots."""
    with serving(llama) as url:
        yield url


def test_the_real_server_counts_what_replay_predicts(real: str, tmp_path: Path) -> None:
    """Request by request, 300 of 300, and the same tokens."""
    audit, _ = audit_of(real, tmp_path, prompts_per_group=30, max_new_tokens=25)
    found = audit.made.found(BASE)
    assert found.served is not None
    pair = load("embedded", "embedded")
    own = trace(pair, list(audit.prompts), Decoding(25))
    assert len(own) == 300
    assert np.array_equal(found.trace["token"], own["token"])
    predicted = replay(own, Lookahead(N_MAX), counting=SERVED)
    for name in COUNTS:
        told = getattr(found.served.told.tally, name)
        assert np.array_equal(told, getattr(predicted, name)), name
    assert audit.base.lookahead == Lookahead(N_MAX)
    assert audit.doubt("base") == ""


def written(url: str, folder: Path, *more: str, fails: bool = False) -> dict[str, Any]:
    """The run that `specfair audit` stores, less what tells when, where and in what
    time.
    """
    arguments = ["audit", "--server", url, "--prompts", "embedded", "--retries", "1"]
    for name, value in {
        **SMALL,
        "store": folder / "store",
        "out": folder / "r",
    }.items():
        arguments += [f"--{name.replace('_', '-')}", str(value)]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("sys.argv", ["specfair", *arguments, *more])
        code = cli.main([*arguments, *more])
        assert code in (cli.OK, cli.UNDECIDED, *([cli.FAILED] if fails else []))
    run: dict[str, Any] = json.loads((folder / "r.json").read_text())
    for table in ("estimates", "gaps"):
        rows = run[table]["rows"]
        run[table]["rows"] = [row for row in rows if not row[1].startswith("time_")]
    return {k: v for k, v in run.items() if k not in ("created", "command", "settings")}


def test_no_torch_is_needed(real: str, tmp_path: Path) -> None:
    """From the command line to the page, in a process of its own."""
    asked = ["audit", "--server", real, "--prompts", "embedded", "--out", "r"]
    small = ["--groups", "female,male", "--prompts-per-group", "12", "--store", "s"]
    program = (
        f"import sys; from specfair import cli; code = cli.main({asked + small!r}); "
        "assert 'torch' not in sys.modules; sys.exit(code)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (cli.OK, cli.UNDECIDED), done.stderr
    assert "min/max ratio of mean_acceptance_length" in done.stdout
    page = (tmp_path / "r.html").read_text()
    assert f"llama.cpp at {real}" in page
    assert str(tmp_path) not in page


def test_a_pool_that_all_requests_share_is_found(llama: Path, tmp_path: Path) -> None:
    """llama.cpp's n-gram pool: what was written before is drafted, whoever asks. The
    same server with a draft model remembers nothing.
    """
    asked = {**SMALL, "max_new_tokens": 60, "ignore_eos": True, "prompts_per_group": 48}
    for kind in ("NGRAM_MOD", "DRAFT_SIMPLE"):
        with serving(llama, f"kind={kind}") as url:
            audit, _ = audit_of(url, tmp_path / kind, **asked, order_check=True)
            found = audit.by_order("base")
        assert [*found] == ["female", "male", "queer"]
        for estimate in found.values():
            if kind == "NGRAM_MOD":
                assert estimate.low > 0
                assert estimate.p_value(0.0) < 0.01
            else:
                assert (estimate.value, estimate.low, estimate.high) == (0, 0, 0)


def test_slower_than_without_speculation(llama: Path, tmp_path: Path) -> None:
    """Both servers are asked for every prompt, in alternation; the gate is asked for
    every group, and of the same servers only once.
    """
    with serving(llama) as url, serving(llama, "kind=NONE") as plain:
        run = written(url, tmp_path, "--server-plain", plain, fails=True)
    asked = {v["case"]: v for v in run["verdicts"] if v["gate"] == "faster"}
    assert [*asked] == ["base-female", "base-male", "base-queer"]
    said = "24 of 24 greedy texts are the plain server's"
    assert said in run["notes"]
    assert all(0.01 < v["value"] < 100 for v in asked.values())
    assert written(url, tmp_path, "--server-plain", plain, fails=True) == run


def test_who_is_asked_when_tells_nothing_of_the_group() -> None:
    """Every group has had its turn before any has its next; a seed says in which
    order.
    """
    few = prompts.load("embedded").only(["female", "male", "queer"]).limit(12)
    order = interleaved(few, 0)
    assert sorted(p.id for p in order) == sorted(p.id for p in few)
    turns = [order[i : i + 3] for i in range(0, 36, 3)]
    assert all({p.group for p in turn} == set(few.groups) for turn in turns)
    assert len({tuple(p.group for p in turn) for turn in turns}) > 1
    assert interleaved(few, 0) == order != interleaved(few, 1)


def test_an_audit_goes_on_when_its_server_comes_back(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the middle, started again: the report is that of an audit which was
    not disturbed, and no reply that was kept is asked for again. With the server down
    the report can still be made.
    """
    monkeypatch.setattr("specfair.audit.serving.PORTION", 8)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    folders = [tmp_path / name for name in ("whole", "broken")]
    for folder in folders:
        folder.mkdir()
    with serving(llama, port=port):
        whole = written(url, folders[0])
    process = start(llama, port)
    audit, said = audit_of(url, folders[1] / "store", **SMALL, retries=1)

    def kill(line: str) -> None:
        said.append(line)
        if line.endswith(": 8 requests to go"):
            process.kill()
            process.wait()

    object.__setattr__(audit.made, "_say", kill)
    with pytest.raises(ModelError, match=r"8 of 24 replies are missing.*run again"):
        audit.measure(audit.settings.stages)
    with serving(llama, port=port):
        assert written(url, folders[1]) == whole
    assert written(url, folders[1]) == whole


def test_nothing_is_lost_and_nothing_counted_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """5,000 requests, 32 at once, of which every fifth goes wrong at first, in one of
    seven ways; some replies are impossible, and named.
    """
    monkeypatch.setattr("specfair.audit.serving.PORTION", 1_000)
    rows = [
        {"group": who, "text": f"{who} {i}", "cluster": str(i % 50)}
        for who in ("a", "b", "c", "d")
        for i in range(1_250)
    ]
    path = tmp_path / "p.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))

    def fault(text: str, nth: int) -> str:
        place = int(text.split()[1])
        if text in ("c 77", "d 78"):
            return "impossible"
        return FAULTS[place // 5 % len(FAULTS)] if place % 5 == nth == 0 else ""

    simulated = Simulated(fault=fault)
    with simulated.serving() as url:
        changes = {"prompts": f"file:{path}", "max_new_tokens": 6}
        audit, said = audit_of(
            url, tmp_path / "store", **changes, concurrency=32, timeout=2.0
        )
        served = audit.made.found(BASE).served
    assert served is not None
    assert simulated.asked.total() == 6_000
    assert set(simulated.asked.values()) == {1, 2}
    assert 16 < simulated.most_at_once <= 32
    troubles = [line for line in said if line.startswith("prompt ")]
    assert len(troubles) == 1_000
    told = np.stack([getattr(served.told.tally, name) for name in COUNTS], axis=1)
    impossible = [i for i, row in enumerate(rows) if row["text"] in ("c 77", "d 78")]
    assert np.isnan(told[impossible]).all()
    for i, row in enumerate(rows):
        if i not in impossible:
            rounds = rounds_of(row["text"], 6)
            assert told[i, 0] == len(events_of(rounds)) - 2
            assert told[i, 1] == len(rounds)
            assert told[i, 4] == sum(accepted for _, accepted in rounds)
    doubt = audit.doubt("base")
    assert "cannot be true: sums" in doubt
    assert "2 of 5000" in doubt
    assert audit.base.mean_acceptance_length.by_group["a"].valid
    assert not audit.base.mean_acceptance_length.by_group["c"].valid


def test_the_evals_ask_a_server(real: str, pytester: pytest.Pytester) -> None:
    """What only models tell is not collected; the order is asked where it is to be."""
    options = [f"--specfair-{n.replace('_', '-')}={v}" for n, v in SMALL.items()]
    options += [f"--specfair-server={real}", "--specfair-prompts=embedded"]
    result = run(
        pytester,
        *("--pyargs", "specfair.evals", "-v", "--specfair-order-check"),
        *("--specfair-gate=time_per_token.ratio>=0.1", *options),
    )
    assert result.ret == 0
    asked = {line.split("::")[1].split()[0] for line in result.outlines if "::" in line}
    assert asked == {
        "test_difference[base]",
        "test_ratio[base]",
        "test_speedup_ratio[base]",
        "test_worst_pair[base]",
        *(
            f"test_it_does_not_matter_who_asked_before[base-{group}]"
            for group in ("female", "male", "queer")
        ),
    }
    made = (pytester.path / "reports" / "latest.json").read_text()
    stored = json.loads(made)
    assert stored["metric"] == "mean_acceptance_length"
    assert {v["metric"] for v in stored["verdicts"]} >= {
        "mean_acceptance_length",
        "acceptance_rate",
        "time_per_token",
    }


def test_a_server_beside_the_pair_that_it_is(real: str, tmp_path: Path) -> None:
    """Greedy, and at temperature 1, where its texts are its own and its draft proposes
    its first choice: every count is a replay's, but for ties of the draft in a cache
    of half precision.
    """
    pair = dict(zip(("target", "draft"), map(str, PAIR), strict=True))
    asked = {**pair, "groups": "female,male,queer", "max_new_tokens": 25}
    for temperature, n_each in ((0.0, 20), (1.0, 0)):
        place = tmp_path / str(temperature)
        how = {**asked, "temperature": temperature, "prompts_per_group": n_each}
        audit, _ = audit_of(real, place, **how)
        assert audit.doubt("base") == ""
        said = next(note for note in audit.notes if "as a replay" in note)
        n_alike, n = map(int, re.findall(r"^(\d+) of (\d+) requests", said)[0])
        assert n == len(audit.prompts) >= (280 if temperature else 60)
        assert n_alike >= (n if temperature == 0 else 0.99 * n)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_server_that_is_another_pair_is_told(
    real: str, tmp_path: Path, temperature: float
) -> None:
    """Another target writes other texts, another draft counts otherwise; no verdict
    rests on either.
    """
    target, draft = map(str, PAIR)
    lossy = "it is lossy" if temperature == 0 else "it is not this pair"
    for roles, said in (((draft, target), lossy), ((target, target), "only ")):
        pair = dict(zip(("target", "draft"), roles, strict=True))
        place = tmp_path / said.strip()
        audit, _ = audit_of(real, place, **pair, **SMALL, temperature=temperature)
        assert said in audit.doubt("base")


def test_a_server_is_held_to_its_baseline(real: str, pytester: pytest.Pytester) -> None:
    """Tokens for each verification, prompt by prompt, as they were."""
    options = [f"--specfair-{n.replace('_', '-')}={v}" for n, v in SMALL.items()]
    options += [f"--specfair-server={real}", "--specfair-prompts=embedded"]
    evals = ("--pyargs", "specfair.evals")
    assert run(pytester, *evals, *options, "--specfair-save-baseline=served").ret == 0
    result = run(pytester, *evals, "-v", *options, "--specfair-baseline=served")
    assert result.ret == 0
    stored = json.loads((pytester.path / "reports" / "latest.json").read_text())
    changes = [v for v in stored["verdicts"] if v["gate"] == "regression"]
    assert {v["case"] for v in changes} == {
        "base",
        *(f"base-{group}" for group in ("female", "male", "queer")),
    }
    assert {v["metric"] for v in changes} == {"mean_acceptance_length"}
    assert {(v["value"], v["decision"]) for v in changes} == {(0.0, "pass")}


def test_counters_are_read_one_request_at_a_time(tmp_path: Path) -> None:
    """Of a server that tells nothing of requests; a stranger ends the audit, and what
    was told before him is kept.
    """
    simulated = Simulated(owner="vllm")
    with simulated.serving() as url:
        asked = {**SMALL, "engine": "vllm-counters"}
        audit, _ = audit_of(url, tmp_path / "alone", **asked)
        assert next(iter(audit.base.given)) == "mean_acceptance_length"
        assert audit.doubt("base") == ""
        assert simulated.most_at_once == 1
        simulated.stranger = 1
        audit, _ = audit_of(url, tmp_path / "disturbed", **asked)
        with pytest.raises(ModelError, match=r"served others meanwhile.*are missing"):
            audit.measure(audit.settings.stages)
