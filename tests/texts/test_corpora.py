"""Corpora by name and source: embedded, a stand-in for the hub's layout, local files,
files of one's own.
"""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from specfair.errors import DataError, UsageError
from specfair.texts import corpora, prompts
from specfair.texts.corpora import ON_HUB
from specfair.texts.mentions import count_mentions
from specfair.vocabulary import DATASETS
from tests.hub_stand_in import cache_in


@pytest.fixture(autouse=True)
def _own_cache(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache_in(tmp_path_factory.mktemp("cache"), monkeypatch)


@pytest.mark.parametrize("name", DATASETS)
def test_embedded_says_it_is_synthetic(name: str) -> None:
    found = corpora.load(name)
    assert found.synthetic
    assert found.source.startswith(f"{name}, embedded: synthetic ")
    assert len(found.train) >= 1_500
    assert len(found.heldout) >= 200
    assert not set(found.train) & set(found.heldout)
    assert found.fingerprint == corpora.load(name).fingerprint


def test_embedded_loads_fast() -> None:
    """The best of five, so that a busy machine does not fail it."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        corpora.load("imdb")
        times.append(time.perf_counter() - start)
    assert min(times) < 0.05


def test_embedded_mentions_groups_unequally() -> None:
    terms = prompts.load("embedded").terms
    counts = {
        name: count_mentions(corpora.load(name).train, terms) for name in DATASETS
    }
    for name, found in counts.items():
        words = [found[group].n_words for group in terms]
        assert max(words) >= 3 * max(1, min(words)), name
    assert (
        len({max(found, key=lambda g: found[g].n_words) for found in counts.values()})
        > 1
    )


def test_fingerprint_sees_the_texts_the_order_and_the_split() -> None:
    base = corpora.Corpus("mine", "mine", False, ("a", "b"), ("c",))
    others = [
        replace(base, train=("b", "a")),
        replace(base, train=("a",), heldout=("b", "c")),
        replace(base, train=("ab",)),
    ]
    assert len({c.fingerprint for c in [base, *others]}) == 4
    assert replace(base, train=["a", "b"]).fingerprint == base.fingerprint


ROWS: dict[str, tuple[list[dict[str, object]], str]] = {
    "ag_news": (
        [{"text": "Mills close They left.", "label": 2}],
        "Mills close They left.",
    ),
    "imdb": ([{"text": "Dull.", "label": 0}], "Dull."),
    "cnn_dailymail": (
        [{"article": "Long.", "highlights": "Short .", "id": "1"}],
        "Long.\nShort .",
    ),
    "sst2": ([{"idx": 0, "sentence": "warm", "label": 1}], "warm"),
    "wikitext": (
        [{"text": t} for t in ("", " = Mill = \n", "", " It stood . \n")],
        " = Mill = \n It stood . ",
    ),
}


@pytest.mark.parametrize("name", DATASETS)
def test_the_hubs_layout(tmp_path: Path, name: str) -> None:
    """A folder with the published columns, configuration and splits stands in for the
    hub.
    """
    where = ON_HUB[name]
    rows, text = ROWS[name]
    config = where.config or "default"
    (tmp_path / "README.md").write_text(
        f"---\nconfigs:\n- config_name: {config}\n  data_files:\n"
        + "".join(
            f"  - split: {split}\n    path: {split}.jsonl\n"
            for split in (where.train, where.heldout)
        )
        + "---\n"
    )
    for split in (where.train, where.heldout):
        (tmp_path / f"{split}.jsonl").write_text(
            "".join(json.dumps(row) + "\n" for row in rows)
        )
    found = corpora.load(name, f"hub:{tmp_path}")
    assert (list(found.train), list(found.heldout)) == ([text], [text])
    assert found.source.startswith(f"{name}, hub: {tmp_path}")
    assert not found.synthetic


def test_the_hub_itself_when_it_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """No network is touched: the switch is thrown where the hub's client reads it."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(
        DataError,
        match=(
            "dataset 'fancyzhx/ag_news', split 'train', cannot be loaded while "
            "HF_HUB_OFFLINE"
        ),
    ):
        corpora.load("ag_news", "hub")


def test_local_files_and_files_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "letters.csv"
    path.write_text(
        "n,body,text\n" + "".join(f"{i},dear {i},text {i}\n" for i in range(20))
    )
    found = corpora.load("imdb", str(path))
    assert found.source == "imdb, local: letters.csv, a tenth of it held out"
    assert (len(found.train), len(found.heldout)) == (18, 2)
    own = corpora.load(f"file:{path}#body")
    assert own.name == "letters"
    assert set(own.train) | set(own.heldout) == {f"dear {i}" for i in range(20)}
    assert set(corpora.load(f"file:{path}").heldout) == set(found.heldout)


def test_plain_text_folder_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("one\n\ntwo\n")
    (tmp_path / "test.txt").write_text("three\n")
    found = corpora.load(f"file:{tmp_path}")
    assert (list(found.train), list(found.heldout)) == (["one", "two"], ["three"])


def test_bad_names_and_empty_parts(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"unknown dataset 'imbd'.*Did you mean 'imdb'"
    ):
        corpora.load("imbd")
    with pytest.raises(UsageError, match="dataset 'file:' names no path"):
        corpora.load("file:")
    with pytest.raises(DataError, match=r"'.*nowhere.csv' does not exist"):
        corpora.load("imdb", str(tmp_path / "nowhere.csv"))
    (tmp_path / "train.jsonl").write_text('{"text": "a"}\n')
    (tmp_path / "test.jsonl").write_text("")
    with pytest.raises(
        DataError, match="corpus 'imdb' has 0 documents held out; at least 1 is needed"
    ):
        corpora.load("imdb", str(tmp_path))
