"""HONEST, BOLD, HolisticBias and MGSM, on tiny files of our own in exactly the
publishers' formats.
"""

import json
from collections import Counter
from pathlib import Path

import pytest

from specfair.errors import DataError, UsageError
from specfair.texts import prompts
from specfair.texts.prompts import holistic_bias
from tests.hub_stand_in import cache_in


@pytest.fixture(autouse=True)
def _own_cache(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache_in(tmp_path_factory.mktemp("cache"), monkeypatch)


SINGULAR = ("[I] works with [M]", "[I] never eats [M]")
PLURAL = ("[I] work with [M]", "[I] never eat [M]")


def honest_rows() -> list[dict[str, str]]:
    """The child stands under both, the girls stand twice."""
    people = [
        ("the aunt", "singular", "female"),
        ("the child", "singular", "female"),
        ("the girls", "plural", "female"),
    ]
    people += [
        ("the girls", "plural", "female"),
        ("the child", "singular", "male"),
        ("the uncle", "singular", "male"),
    ]
    return [
        {
            "template_masked": raw.replace("[I]", who) + ".",
            "raw": raw,
            "identity": who,
            "number": n,
            "category": g,
            "type": "x",
        }
        for who, n, g in people
        for raw in (SINGULAR if n == "singular" else PLURAL)
    ]


QUEER = [
    {
        "template_masked": "The enby works with [M].",
        "raw": SINGULAR[0],
        "identity": "enby",
        "category": "queer_gender",
    },
    {
        "template_masked": "The enby never eats [M].",
        "raw": SINGULAR[1],
        "identity": "enby",
        "category": "queer_gender",
    },
]


@pytest.fixture
def honest(tmp_path: Path) -> Path:
    """Two TSVs whose columns are in different orders, as published."""
    binary = ("template_masked", "raw", "identity", "number", "category", "type")
    queer = ("template_masked", "raw", "identity", "category", "number", "type")
    for name, columns, rows in (
        ("binary", binary, honest_rows()),
        ("queer_nonqueer", queer, QUEER),
    ):
        folder = tmp_path / name
        folder.mkdir()
        lines = [
            "\t".join(columns),
            *(
                "\t".join(
                    {"number": "singular", "type": "x", **row}[c] for c in columns
                )
                for row in rows
            ),
        ]
        (folder / "en_template.tsv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_honest_drops_what_is_ambiguous_and_says_so(honest: Path) -> None:
    found = prompts.load(f"honest:{honest}")
    assert found.sizes == {"female": 4, "male": 2, "queer_gender": 2}
    assert found.notes == (
        "read 14 rows, 10 distinct prompts",
        "dropped 2 prompts that stand under more than one group (female and male)",
        "dropped 2 repeats within a group",
    )
    assert found.prompts[0].text == "the aunt works with"
    assert found.licence == "MIT"
    assert found.terms == {
        "female": ("aunt", "girls"),
        "male": ("uncle",),
        "queer_gender": ("enby",),
    }


def test_honest_keeps_every_row_when_told(honest: Path) -> None:
    found = prompts.load(f"honest:{honest}", ambiguous="keep")
    assert found.sizes == {"female": 8, "male": 4, "queer_gender": 2}
    assert len({p.id for p in found}) == 14


def test_honest_pairs_plural_templates_with_singular_ones(honest: Path) -> None:
    found = prompts.load(f"honest:{honest}")
    assert {p.template for p in found if p.cluster == "the girls"} == {
        "[I] works with",
        "[I] never eats",
    }
    assert len({p.template for p in found}) == 2


def test_honest_without_a_plural_for_each_template_pairs_none(honest: Path) -> None:
    path = honest / "queer_nonqueer" / "en_template.tsv"
    path.write_text(
        path.read_text()
        + "The enby sings [M].\t[I] sings [M]\tenby\tqueer_gender\tsingular\tx\n"
    )
    assert len({p.template for p in prompts.load(f"honest:{honest}")}) == 5


def test_honest_from_a_dataset_in_the_hubs_layout(
    honest: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stand_in = tmp_path_factory.mktemp("honest_hub")
    (stand_in / "README.md").write_text(
        "---\nconfigs:\n"
        + "".join(
            (
                f"- config_name: {name}\n  data_files:\n  - split: honest\n    "
                f"path: {name}.jsonl\n"
            )
            for name in ("en_binary", "en_queer_nonqueer")
        )
        + "---\n"
    )
    for name, rows in (("en_binary", honest_rows()), ("en_queer_nonqueer", QUEER)):
        lines = (json.dumps({"number": "singular", "type": "x", **row}) for row in rows)
        (stand_in / f"{name}.jsonl").write_text("".join(line + "\n" for line in lines))
    assert (
        prompts.load(f"honest:hub:{stand_in}").fingerprint
        == prompts.load(f"honest:{honest}").fingerprint
    )


def test_honest_folders_that_hold_something_else(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no .tsv file; HONEST comes as two"):
        prompts.load(f"honest:{tmp_path}")
    (tmp_path / "en.tsv").write_text("raw\tidentity\nx\ty\n")
    with pytest.raises(DataError, match=r"'en.tsv' has no column 'template_masked'"):
        prompts.load(f"honest:{tmp_path}")
    (tmp_path / "en.tsv").write_text("")
    with pytest.raises(DataError, match="its columns are none"):
        prompts.load(f"honest:{tmp_path}")


GENDER = {
    "Welders": {
        "Ada_B": ["Ada B is a welder who ", "Ada B welds in "],
        "Ada_C": ["Ada B is a welder who"],
    },
    "Potters": {"Cy_D": ["Cy D is a potter who "]},
}
RACE = {"Islanders": {"Ada_B": ["Ada B is a welder who "]}}


@pytest.fixture
def bold(tmp_path: Path) -> Path:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "gender_prompt.json").write_text(json.dumps(GENDER))
    (tmp_path / "prompts" / "race_prompt.json").write_text(json.dumps(RACE))
    for domain in ("political_ideology", "profession", "religious_ideology"):
        (tmp_path / "prompts" / f"{domain}_prompt.json").write_text(
            json.dumps({domain: {"T": [f"{domain} is "]}})
        )
    return tmp_path


def test_bold_counts_once_what_a_group_says_twice_and_says_what_two_say(
    bold: Path,
) -> None:
    found = prompts.load(f"bold:{bold}")
    assert len(found) == 7  # of eight
    assert found.groups[:2] == ("Welders", "Potters")
    assert found.prompts[0].text == "Ada B is a welder who"
    assert found.prompts[0].cluster == "Ada_B"
    assert found.notes[1:] == (
        "dropped 1 repeats within a group",
        "kept 1 prompts that stand under more than one group",
    )
    assert {p.cluster for p in found if p.group == "Welders"} == {"Ada_B"}
    assert not found.crossed
    assert found.licence == "CC BY-SA 4.0"


def test_bold_by_domain_or_file(bold: Path) -> None:
    one = prompts.load(f"bold/gender:{bold}")
    assert one.groups == ("Welders", "Potters")
    assert one.name == "bold/gender"
    assert (
        one.fingerprint
        == prompts.load(
            f"bold/gender:{bold / 'prompts' / 'gender_prompt.json'}"
        ).fingerprint
    )


def test_bold_from_a_dataset_in_the_hubs_layout(
    bold: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stand_in = tmp_path_factory.mktemp("bold_hub")
    rows = [
        {
            "domain": domain,
            "category": group,
            "name": title,
            "prompts": texts,
            "wikipedia": texts,
        }
        for domain, groups in (("gender", GENDER), ("race", RACE))
        for group, titles in groups.items()
        for title, texts in titles.items()
    ]
    (stand_in / "train.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in rows)
    )
    assert (
        prompts.load(f"bold/gender:hub:{stand_in}").fingerprint
        == prompts.load(f"bold/gender:{bold}").fingerprint
    )


def test_bold_folders_that_hold_something_else(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"holds no gender_prompt.json; BOLD has one such file a domain"
    ):
        prompts.load(f"bold/gender:{tmp_path}")
    (tmp_path / "gender_prompt.json").write_text('["no groups"]')
    with pytest.raises(DataError, match=r"'gender_prompt.json' is not in BOLD's shape"):
        prompts.load(f"bold/gender:{tmp_path}")
    (tmp_path / "gender_prompt.json").write_text("{")
    with pytest.raises(DataError, match=r"'gender_prompt.json' is not JSON"):
        prompts.load(f"bold/gender:{tmp_path}")


@pytest.fixture
def axes(tmp_path: Path) -> Path:
    descriptors = {
        "height": {
            "tall": ["towering", {"descriptor": "lofty", "preference": "reviewed"}],
            "short": ["compact"],
        },
        "trade": {
            "hands": [
                "weaving",
                {"descriptor": "US-trained", "article": "a"},
                {"descriptor": "sewing", "gender": "female"},
            ],
            "minds": ["counting", "lofty"],
        },
    }
    nouns = {
        "female": [["aunt", "aunts"]],
        "male": [["uncle", "uncles"]],
        "neutral": [["cook", "cooks"]],
    }
    templates = {
        "I met {noun_phrase}.": {},
        "Where are {plural_noun_phrase}?": {"must_be_noun": True},
    }
    for version, words in (
        ("v1.0", {"height": {"tall": ["old"]}}),
        ("v1.1", descriptors),
    ):
        (tmp_path / version).mkdir()
        for name, content in zip(
            holistic_bias.FILES, (words, nouns, templates), strict=True
        ):
            (tmp_path / version / name).write_text(json.dumps(content))
    return tmp_path


def test_holistic_bias_crosses_descriptors_nouns_and_templates(axes: Path) -> None:
    found = prompts.load(f"holistic_bias:{axes}", n_per_group=10)
    texts = {p.text for p in found}
    assert found.groups == ("height", "trade")
    assert found.sizes == {"height": 10, "trade": 10}
    assert texts & {
        "I met a towering aunt.",
        "I met a towering uncle.",
        "I met a towering cook.",
    }
    assert not any("lofty" in text for text in texts), "it stands under both axes"
    assert not any("sewing" in p.text and "aunt" not in p.text for p in found), (
        "a gendered word goes with its nouns"
    )
    assert Counter(p.template for p in found if p.group == "height") == Counter(
        p.template for p in found if p.group == "trade"
    )
    assert found.terms["trade"] == ("weaving", "US-trained", "sewing", "counting")


def test_holistic_bias_is_a_seeded_sample(axes: Path) -> None:
    spec = f"holistic_bias/trade:{axes / 'v1.1'}"
    first = prompts.load(spec, n_per_group=5)
    assert first.groups == ("hands", "minds")
    assert first.fingerprint == prompts.load(spec, n_per_group=5).fingerprint
    assert first.fingerprint != prompts.load(spec, n_per_group=5, seed=1).fingerprint
    assert "sample by seed 0 of" in first.notes[0]


def test_holistic_bias_stops_when_the_grid_is_used_up(axes: Path) -> None:
    found = prompts.load(f"holistic_bias/height:{axes}", n_per_group=500)
    assert found.sizes == {"tall": 12, "short": 6}


def test_articles_follow_the_sound() -> None:
    nouns = {"neutral": [["cook", "cooks"]]}
    words = [
        "tall",
        "old",
        "80-year-old",
        "18-year-old",
        "20-year-old",
        "European",
        "unitary",
        "unkind",
        "US-born",
        "FTM",
        "BIPOC",
        "one-eyed",
    ]
    place = ("axis", "bucket")
    articles = {
        word: holistic_bias._descriptor(word, nouns, place).article for word in words
    }
    assert [word for word, article in articles.items() if article == "an"] == [
        *("old", "80-year-old", "18-year-old", "unkind", "FTM"),
    ]


def test_holistic_bias_that_is_something_else(axes: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError,
        match=r"unknown axis of holistic_bias 'hight'.*Did you mean 'height'",
    ):
        prompts.load(f"holistic_bias/hight:{axes}")
    (axes / "v1.1" / "descriptors.json").write_text('{"height": ["no parts"]}')
    with pytest.raises(DataError, match="is not in HolisticBias's shape"):
        prompts.load(f"holistic_bias:{axes}")
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        DataError, match=r"holds no descriptors.json; HolisticBias needs"
    ):
        prompts.load(f"holistic_bias:{tmp_path / 'empty'}")


def test_mgsm_pairs_languages_by_problem(tmp_path: Path) -> None:
    (tmp_path / "mgsm_sw.tsv").write_text("Ana mbuzi ngapi?\t3\nNani alikuja?\t4\n")
    (tmp_path / "mgsm_en.tsv").write_text(
        'How many goats has "Ana"?\t3\n\nWho came?\t4\n'
    )
    with pytest.raises(DataError, match=r"'.*nowhere' does not exist"):
        prompts.load(f"mgsm:{tmp_path / 'nowhere'}")
    found = prompts.load(f"mgsm:{tmp_path}")
    assert found.sizes == {"en": 2, "sw": 2}
    assert found.prompts[0].text == 'How many goats has "Ana"?'
    assert found.crossed
    assert {p.template for p in found if p.group == "en"} == {
        p.cluster for p in found if p.group == "sw"
    }
    (tmp_path / "mgsm_en.tsv").write_text("How many goats has Ana?\t3\n")
    with pytest.raises(
        DataError,
        match=r"mgsm_en.tsv has 1 problems and mgsm_sw.tsv has 2; languages are paired",
    ):
        prompts.load(f"mgsm:{tmp_path}")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"holds no mgsm_XX.tsv"):
        prompts.load(f"mgsm:{tmp_path / 'empty'}")
