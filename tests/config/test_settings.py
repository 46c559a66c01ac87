"""Settings: the file, the options on top, and one line for what cannot be meant."""

from pathlib import Path

import pytest

from specfair import config, project
from specfair.config import Settings
from specfair.doors.arguments import as_arguments
from specfair.errors import UsageError


def write(folder: Path, text: str) -> Path:
    (folder / "pyproject.toml").write_text(f"[tool.specfair]\n{text}")
    return folder


def test_defaults_without_a_file(tmp_path: Path) -> None:
    settings = config.load(project.find(tmp_path), {})
    paths = {
        "store": str(tmp_path / ".specfair"),
        "report": str(tmp_path / "reports" / "latest.html"),
    }
    assert settings == config.override(Settings(root=str(tmp_path)), paths)
    assert settings.embedded
    assert settings.prompts_spec == settings.corpora_source == "embedded"
    assert settings.compared == ("ag_news", "imdb", "cnn_dailymail", "sst2", "wikitext")


def test_the_nearest_file_above_counts_and_options_override_it(tmp_path: Path) -> None:
    write(tmp_path, 'max_new_tokens = 7\ntemperature = 1\ndatasets = ["imdb"]\n')
    (tmp_path / "a" / "b").mkdir(parents=True)
    settings = config.load(project.find(tmp_path / "a" / "b"), {"max_new_tokens": "9"})
    assert (settings.max_new_tokens, settings.temperature, settings.compared) == (
        9,
        1.0,
        ("imdb",),
    )
    assert settings.decoding.max_new_tokens == 9


def test_real_models_take_real_prompts_and_corpora() -> None:
    settings = config.override(Settings(), {"target": "gpt2", "draft": "distilgpt2"})
    assert (settings.prompts_spec, settings.corpora_source) == ("honest", "hub")
    kept = config.override(settings, {"prompts": "mgsm", "corpora": "embedded"})
    assert (kept.prompts_spec, kept.corpora_source) == ("mgsm", "embedded")


def test_a_ready_tuned_pair_is_the_only_thing_compared() -> None:
    settings = config.override(
        Settings(), {"target": "a", "draft": "b", "tuned_draft": "c"}
    )
    assert settings.ready_made
    assert settings.compared == ("tuned",)


def test_words_of_the_command_line_become_values() -> None:
    settings = config.override(
        Settings(),
        {"groups": 'queer, male,"a, b"', "strict": True, "temperature": "0.5"},
    )
    assert (settings.groups, settings.strict, settings.temperature) == (
        ("queer", "male", "a, b"),
        True,
        0.5,
    )


@pytest.mark.parametrize(
    ("values", "lookahead"),
    [
        ({"draft": "prompt-lookup:10"}, "constant-10"),
        ({"draft": "ngram:4,1-2"}, "constant-4"),
        ({"draft": "early-exit:2"}, "constant-5"),
        ({"draft": "prompt-lookup:10", "lookahead": "constant-3"}, "constant-3"),
    ],
)
def test_a_draft_that_says_how_much_it_proposes_is_asked_for_that(
    values: dict, lookahead: str
) -> None:
    assert config.override(Settings(), values).lookahead == lookahead


@pytest.mark.parametrize(
    ("values", "first"),
    [
        ({}, False),
        ({"deployed_as": "vllm"}, True),
        ({"deployed_as": "llama.cpp"}, True),
        ({"deployed_as": "vllm", "proposals": "sampled"}, False),
        ({"proposals": "greedy"}, True),
    ],
)
def test_how_is_proposed_follows_the_engine_unless_it_is_said(
    values: dict, first: bool
) -> None:
    assert config.override(Settings(), values).first_choice == first


def test_a_broken_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"pyproject.toml is not valid TOML"):
        project.find(write(tmp_path, "= ="))


def test_gates_are_no_key_of_settings(tmp_path: Path) -> None:
    """They are read by the gates, which know what a bound is."""
    write(tmp_path, "[tool.specfair.gates]\ngapp = 1\n")
    assert config.load(project.find(tmp_path), {}).gates == ()


def test_a_list_by_commas_may_be_empty() -> None:
    assert config.override(Settings(), {"groups": ""}).groups == ()
    assert config.override(Settings(), {"groups": " a, b,"}).groups == ("a", "b")


def test_places_in_the_file_start_at_the_project_and_typed_ones_where_they_were_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a folder below: models, prompts and corpora of pyproject.toml were not found
    there.
    """
    for folder in ("models/t", "models/d", "sub/mine"):
        (tmp_path / folder).mkdir(parents=True)
    write(
        tmp_path,
        (
            'target = "models/t"\ndraft = "models/d"\nprompts = '
            '"file:p.jsonl"\ndatasets = ["file:d.csv#text"]\n'
        ),
    )
    monkeypatch.chdir(tmp_path / "sub")
    home = project.find(Path.cwd())
    found = config.load(
        home, {"tuned_draft": "mine", "report": "r/x.html", "corpora": "c"}
    )
    assert (found.target, found.prompts, found.tuned_draft, found.corpora) == (
        "models/t",
        "file:p.jsonl",
        "sub/mine",
        "sub/c",
    )
    assert (found.store, found.report) == (
        str(tmp_path / ".specfair"),
        str(tmp_path / "sub/r/x.html"),
    )
    there = found.located
    assert there.target == str(tmp_path / "models/t")
    assert Path(there.tuned_draft) == tmp_path / "sub/mine"
    assert there.prompts == f"file:{tmp_path / 'p.jsonl'}"
    assert there.datasets == (f"file:{tmp_path / 'd.csv'}#text",)
    hub = config.override(
        Settings(root=str(tmp_path)),
        {"target": "gpt2", "draft": "distilgpt2", "prompts": "honest"},
    )
    assert hub.located == hub


def test_what_is_only_about_the_run_makes_no_other_audit() -> None:
    other = config.override(
        Settings(), {"strict": True, "baseline": "main", "report": "x"}
    )
    assert other.measurement == Settings()
    assert config.override(Settings(), {"seed": 1}).measurement != Settings()


@pytest.mark.parametrize(
    "name", ["target", "prompts", "corpora", "device", "lookahead", "report", "store"]
)
def test_a_name_is_not_empty(name: str) -> None:
    with pytest.raises(
        UsageError, match=f"{name} = ' ' does not fit: it names something"
    ):
        config.override(Settings(), {name: " "})


def test_a_dataset_of_ones_own_goes_by_a_name() -> None:
    """Its alias or the stem of its file, never a path or a column."""
    asked = "imdb,file:data/mails.csv#body,reviews=file:/d/r.csv#text"
    settings = config.override(Settings(), {"datasets": asked})
    assert settings.compared == ("imdb", "mails", "reviews")
    assert settings.dataset("reviews") == "reviews=file:/d/r.csv#text"
    assert settings.dataset("imdb") == "imdb"


@pytest.mark.parametrize(
    "datasets",
    [
        "file:a/train.csv,file:b/train.csv",
        "imdb,file:imdb.csv",
        "x=file:a,x=file:b",
        "base=file:a.csv",
        "file:tuned.csv",
        "file:mails@400.csv",
        "file:..",
        "file:",
    ],
)
def test_a_name_that_means_two_things_is_refused(datasets: str) -> None:
    with pytest.raises(UsageError, match=r"goes by .*NAME=file:PATH"):
        config.override(Settings(), {"datasets": datasets})


def test_what_is_shown_holds_no_folder(tmp_path: Path) -> None:
    places = {
        "target": str(tmp_path / "t"),
        "draft": "./deep/d",
        "prompts": f"file:{tmp_path / 'p.jsonl'}",
        "corpora": str(tmp_path / "corpora"),
        "datasets": (f"reviews=file:{tmp_path / 'r.csv'}#body", "imdb"),
    }
    shown = config.override(Settings(), places).shown
    assert (shown.target, shown.draft, shown.prompts, shown.corpora) == (
        "t",
        "d",
        "file:p.jsonl",
        "corpora",
    )
    assert shown.datasets == ("reviews=file:r.csv#body", "imdb")
    hub = {"target": "org/t", "draft": "org/d", "prompts": "honest:hub:org/h"}
    assert config.override(Settings(), hub).shown == config.override(Settings(), hub)


def test_an_example_is_of_the_kind_that_is_asked_for() -> None:
    """A count of 0 was said to be false, a share of 1 to be true."""
    with pytest.raises(UsageError, match=r"a whole number. Give one, such as 0\."):
        config.override(Settings(), {"top_k": "many"})
    with pytest.raises(UsageError, match=r"a number. Give one, such as 1\.0\."):
        config.override(Settings(), {"top_p": "all"})


def test_every_option_is_an_argument() -> None:
    names = [name for name, _ in as_arguments(prefix="specfair-")]
    assert names[0] == "--specfair-target"
    assert "--specfair-max-new-tokens" in names
    kept = dict(as_arguments(without=config.OF_THE_RUN))
    assert "--report" not in kept
    assert kept["--strict"]["const"] is True


def test_datasets_in_turn_are_each_known() -> None:
    asked = {"datasets": ["sst2 -> imdb", "imdb", "sst2->r=file:a.csv"]}
    settings = config.override(Settings(), asked)
    assert settings.compared == ("sst2->imdb", "imdb", "sst2->r")
    assert settings.dataset("r") == "r=file:a.csv"
    for wrong, message in {
        "sst2->imbd": "unknown dataset 'imbd'",
        "sst2->": "unknown dataset ''",
        "sst2->imdb,sst2 -> imdb": "goes by 'sst2->imdb', as 'sst2->imdb' does",
    }.items():
        with pytest.raises(UsageError, match=message):
            config.override(Settings(), {"datasets": wrong})
