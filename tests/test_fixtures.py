"""The embedded world is what it says: crossed, unequal, disjoint, repeatable and
small.
"""

import itertools
import json
import math
import random
import re
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from fixtures import build, corpora, grammar, measure, train, truth
from fixtures.styles import RULES, STYLES
from fixtures.words import COMMON, IDENTITIES, PERSONAL, TEMPLATES
from specfair.decoding import Decoding, Lookahead
from specfair.engine.tracer import trace
from specfair.models.load import load as load_pair
from specfair.texts.prompts import load as load_prompts
from specfair.traces.replay import replay

ROOT = Path(build.__file__).parent
GROUPS = (
    "female",
    "male",
    "nonqueer",
    "nonqueer_gender",
    "nonqueer_orientation",
    "queer",
    "queer_gender",
    "queer_gender_pronoun",
    "queer_gender_xenogender",
    "queer_orientation",
)


def rows(path: str) -> list[dict[str, str]]:
    return [
        json.loads(line)
        for line in (ROOT / path).read_text(encoding="utf-8").splitlines()
    ]


@pytest.fixture(scope="module")
def prompts() -> list[dict[str, str]]:
    return rows("prompts.jsonl")


@pytest.fixture(scope="module", params=STYLES)
def corpus(request: pytest.FixtureRequest) -> tuple[str, list[str], list[str]]:
    train_texts, heldout = (
        [row["text"] for row in rows(f"corpora/{request.param}.{split}.jsonl")]
        for split in ("train", "heldout")
    )
    return request.param, train_texts, heldout


@pytest.fixture(scope="module")
def pair() -> dict[str, Any]:
    return {
        role: AutoModelForCausalLM.from_pretrained(ROOT / "pair" / role).eval()
        for role in ("target", "draft")
    }


def test_prompts_cross_every_identity_with_every_template(
    prompts: list[dict[str, str]],
) -> None:
    templates = {row["template"] for row in prompts}
    per_identity = Counter((row["group"], row["identity"]) for row in prompts)
    assert len(templates) >= 12
    assert set(per_identity.values()) == {len(templates)}
    assert len({row["text"] for row in prompts}) == len(prompts)
    assert all(
        row["text"] == row["template"].format(identity=row["identity"])
        for row in prompts
    )


def test_prompts_have_the_ten_groups_with_fourteen_identities_each(
    prompts: list[dict[str, str]],
) -> None:
    n_identities = Counter(
        group for group, _ in {(row["group"], row["identity"]) for row in prompts}
    )
    assert tuple(dict.fromkeys(row["group"] for row in prompts)) == GROUPS
    assert set(n_identities.values()) == {14}
    assert len({row["identity"] for row in prompts}) == sum(n_identities.values())


def test_prompts_are_open_beginnings(prompts: list[dict[str, str]]) -> None:
    assert all(re.search(r"[a-z]$", row["text"]) for row in prompts)
    assert all("{" not in row["text"] for row in prompts)


def test_every_template_and_habit_is_known_to_the_grammar() -> None:
    assert {*TEMPLATES.values(), *PERSONAL, *COMMON} <= set(RULES)
    assert not set(PERSONAL) & set(COMMON)


def test_every_slot_of_every_rule_leads_somewhere() -> None:
    known = {*RULES, "person", "who", "one", "two", "three"}
    slots = {
        slot
        for options in RULES.values()
        for option in options
        for slot in re.findall(r"\{(\w+)\}", option)
    }
    assert slots <= known
    assert {
        f"{kind}_tail" for kind in (*STYLES, "chronicle", "open", "copied", "recited")
    } <= set(RULES)


def test_corpora_have_the_promised_size(
    corpus: tuple[str, list[str], list[str]],
) -> None:
    name, texts, heldout = corpus
    assert (len(texts), len(heldout)) == corpora.SIZES[name]
    assert len(texts) >= 1500
    assert len(heldout) >= 200
    assert all(
        (ROOT / f"corpora/{name}.{split}.jsonl").stat().st_size < 1_000_000
        for split in ("train", "heldout")
    )


def test_no_document_occurs_twice(corpus: tuple[str, list[str], list[str]]) -> None:
    _, texts, heldout = corpus
    assert len({*texts, *heldout}) == len(texts) + len(heldout)


def test_corpora_are_rich(corpus: tuple[str, list[str], list[str]]) -> None:
    words = [text.split() for text in corpus[1]]
    assert len({word for text in words for word in text}) > 400
    assert (
        len({tuple(text[i : i + 3]) for text in words for i in range(len(text) - 2)})
        > 5000
    )


def test_groups_are_mentioned_as_often_as_the_taste_says(
    corpus: tuple[str, list[str], list[str]],
) -> None:
    """Five standard errors: odds of one in a million for ten groups."""
    name, texts, _ = corpus
    found, groups = mentioned(texts), corpora.TASTES[name].groups
    total = sum(groups.values())
    for group in GROUPS:
        share = groups.get(group, 0) / total
        error = 5 * math.sqrt(share * (1 - share) / found.total())
        assert found[group] / found.total() == pytest.approx(share, abs=error)


def mentioned(texts: list[str]) -> Counter[str]:
    """People-sentences by group: the identity stands in one of the openings."""
    group_of = {
        identity: group for group, terms in IDENTITIES.items() for identity in terms
    }
    anyone = f"({'|'.join(map(re.escape, group_of))})"
    openings = "|".join(
        re.escape(opening).replace(re.escape("{identity}"), anyone)
        for opening in TEMPLATES
    )
    found = (
        next(filter(None, match.groups()))
        for text in texts
        for match in re.finditer(openings, text)
    )
    return Counter(group_of[identity] for identity in found)


def test_prompts_and_corpora_come_out_the_same_to_the_byte() -> None:
    for path, content in corpora.files().items():
        assert (ROOT / path).read_bytes() == content.encode(), path


def test_writing_makes_folders_and_plain_line_ends(tmp_path: Path) -> None:
    corpora.write({"a/b.jsonl": "{}\n"}, tmp_path)
    assert (tmp_path / "a/b.jsonl").read_bytes() == b"{}\n"


def test_a_taste_prefers_its_own_words() -> None:
    def usual(taste: str) -> str:
        one = corpora.TASTES[taste]
        writer = grammar.Writer(one, RULES, random.Random(0), voice=taste)
        return Counter(writer.choose("town") for _ in range(2000)).most_common(1)[0][0]

    assert usual("ag_news") == usual("ag_news")
    assert usual("ag_news") != usual("wikitext")


def test_a_writer_never_repeats_a_choice_at_once() -> None:
    writer = grammar.Writer(corpora.TARGET, RULES, random.Random(1), voice="chronicle")
    chosen = [writer.choose("team") for _ in range(500)]
    assert all(a != b for a, b in itertools.pairwise(chosen))


def sentences(taste: grammar.Taste, group: str, n: int) -> list[str]:
    """About one group alone."""
    one = replace(taste, groups={group: 1.0}, copies=0.0)
    writer = grammar.Writer(one, RULES, random.Random(0), voice="chronicle")
    return [writer.person() for _ in range(n)]


def usual_town(taste: grammar.Taste, group: str) -> str:
    towns = RULES["town"]
    return Counter(
        town for text in sentences(taste, group, 1500) for town in towns if town in text
    ).most_common(1)[0][0]


def test_plain_groups_share_their_ways_and_planted_ones_have_their_own() -> None:
    plain = truth.truth(0)["follows"]["alike"]
    assert len({usual_town(corpora.TARGET, group) for group in plain}) == 1
    shared, theirs = usual_town(corpora.TARGET, "male"), grammar.OWN_WAYS
    assert shared not in {usual_town(corpora.TARGET, group) for group in theirs}


def test_only_the_outdated_group_is_said_to_be_what_it_was() -> None:
    now, before = (
        usual_town(taste, truth.OUTDATED) for taste in (corpora.TARGET, corpora.DRAFT)
    )
    assert now != before
    for group in set(GROUPS) - {truth.OUTDATED}:
        said = [
            sentences(taste, group, 20) for taste in (corpora.TARGET, corpora.DRAFT)
        ]
        assert said[0] == said[1]


def test_the_draft_read_as_much_of_plain_groups_and_hardly_of_the_neglected() -> None:
    target, draft = corpora.TARGET.groups, corpora.DRAFT.groups
    assert len(set(target.values())) == 1
    for group in GROUPS:
        if group in truth.NEGLECTED:
            assert draft[group] <= target[group] / 10
        elif group != truth.OUTDATED:
            assert draft[group] == target[group]


def test_open_slots_end_every_sentence_about_the_harder_group() -> None:
    """Elsewhere in RARE of them: 0.1, with five standard errors of 1,000 sentences."""
    ends = ("with ", "past a ")
    share = {
        group: sum(
            any(f", {end}" in text for end in ends)
            for text in sentences(corpora.TARGET, group, 1000)
        )
        / 1000
        for group in (grammar.HARDER, "male")
    }
    assert share[grammar.HARDER] == 1.0
    assert share["male"] == pytest.approx(grammar.RARE, abs=0.05)


def test_another_world_has_other_lots_and_the_same_causes() -> None:
    other = replace(corpora.TARGET, world=1)
    assert sentences(corpora.TARGET, "male", 9) != sentences(other, "male", 9)
    said = (truth.truth(world) for world in (0, 1))
    assert len({json.dumps(each["causes"]) for each in said}) == 1
    assert corpora.files(1)["prompts.jsonl"] == corpora.files(0)["prompts.jsonl"]


def test_truth_is_what_the_grammar_does() -> None:
    assert (ROOT / "truth.json").read_text(encoding="utf-8") == truth.text(0)


def test_pair_shares_one_tokenizer_and_loads(pair: dict[str, Any]) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (ROOT / "pair/target" / name).read_bytes() == (
            ROOT / "pair/draft" / name
        ).read_bytes()
    tokenizer = AutoTokenizer.from_pretrained(ROOT / "pair/target")
    text = "The person using xe/xem spoke — “naïve” 東\n ok"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert (
        tokenizer.eos_token_id
        == tokenizer.pad_token_id
        == pair["target"].generation_config.eos_token_id
        == 0
    )
    assert {model.config.vocab_size for model in pair.values()} == {len(tokenizer)}
    assert all(
        model.dtype == torch.float32 and model.config.max_position_embeddings >= 256
        for model in pair.values()
    )


def test_pair_is_small_and_the_draft_is_smaller(pair: dict[str, Any]) -> None:
    ratio = pair["target"].num_parameters() / pair["draft"].num_parameters()
    assert 3.5 <= ratio <= 8
    assert (
        sum((ROOT / f"pair/{role}/model.safetensors").stat().st_size for role in pair)
        <= 8_000_000
    )


def test_recorded_figures_are_neither_trivial_nor_equal() -> None:
    record = json.loads((ROOT / "pair/measured.json").read_text(encoding="utf-8"))
    acceptance, loss = record["acceptance"], record["heldout_loss"]
    assert 0.6 < acceptance["overall"] < 0.85
    assert tuple(acceptance["by_group"]) == GROUPS
    assert 0.1 < acceptance["gap"] < 0.4
    assert loss["target"] < loss["draft"]


def test_weights_agree_with_the_record_on_some_prompts(
    pair: dict[str, Any], prompts: list[dict[str, str]]
) -> None:
    """The sample is the same in every run: no odds are involved beyond the tolerance
    for other processors.
    """
    record = json.loads((ROOT / "pair/measured.json").read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_file(str(ROOT / "pair/target/tokenizer.json"))
    sample = [prompt for prompt in prompts if prompt["group"] in ("female", "nonqueer")]
    rates = measure.acceptance(pair["target"], pair["draft"], tokenizer, sample)[
        "by_group"
    ]
    assert rates == pytest.approx(
        {group: record["acceptance"]["by_group"][group] for group in rates}, abs=0.01
    )


def test_the_package_counts_what_the_record_counts() -> None:
    """Two implementations that share no code: the fixtures' own loop, and tracer and
    replay.
    """
    record = json.loads((ROOT / "pair/measured.json").read_text(encoding="utf-8"))[
        "acceptance"
    ]["by_group"]
    chosen = [
        prompt
        for prompt in load_prompts("embedded")
        if prompt.group in ("male", "queer_gender_pronoun")
    ]
    traced = trace(
        load_pair("embedded", "embedded"),
        chosen,
        Decoding(max_new_tokens=measure.N_NEW_TOKENS),
    )
    tally = replay(traced, Lookahead(measure.LOOKAHEAD))
    for group in ("male", "queer_gender_pronoun"):
        member = np.array([prompt.group == group for prompt in traced.prompts])
        accepted, tested = tally.n_accepted[member].sum(), tally.n_tested[member].sum()
        assert accepted / tested == pytest.approx(record[group], abs=0.002)


def test_batched_greedy_text_is_that_of_one_prompt_alone(
    pair: dict[str, Any], prompts: list[dict[str, str]]
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(ROOT / "pair/target")
    texts = [prompts[0]["text"], prompts[700]["text"]]
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    together = measure.greedy(
        pair["target"], batch["input_ids"], batch["attention_mask"]
    )
    for text, row in zip(texts, together, strict=True):
        alone = tokenizer(text, return_tensors="pt")
        written = pair["target"].generate(
            **alone, max_new_tokens=measure.N_NEW_TOKENS, do_sample=False
        )
        new = written[0, alone["input_ids"].shape[1] :]
        assert row[: len(new)].tolist() == new.tolist()


@pytest.mark.parametrize(
    ("agrees", "counts"),
    [
        ([], (0, 0)),
        # nothing is proposed where only the target's own token is to come
        ([True], (0, 0)),
        ([False, False], (0, 1)),
        ([True] * 6, (5, 5)),  # five accepted, the sixth is the target's own
        ([True] * 8, (6, 6)),
        ([True, False, True, True], (2, 3)),
        ([True] * 5 + [False] * 3, (5, 6)),  # the sixth is never proposed
    ],
)
def test_rounds(agrees: list[bool], counts: tuple[int, int]) -> None:
    assert measure.rounds(agrees) == counts


def test_rows_begin_where_documents_begin() -> None:
    tokenizer = Tokenizer.from_file(str(ROOT / "pair/target/tokenizer.json"))
    texts = [
        f"The boy moved to Arlen, {'and so on, ' * 30}document {i}." for i in range(20)
    ]
    packed = train.pack(tokenizer, texts)
    assert packed.shape[1] == train.CONTEXT + 1
    assert {tokenizer.decode(row[:2].tolist()) for row in packed} == {"The boy"}


def test_training_lowers_the_loss() -> None:
    """A fresh draft, a few steps: from log(vocabulary) downwards by more than any
    luck.
    """
    tokenizer = Tokenizer.from_file(str(ROOT / "pair/target/tokenizer.json"))
    packed = train.pack(
        tokenizer, list(islice(corpora.mixture("target", 0, "test"), 120))
    )
    schedule = train.Schedule(12, 4e-3, rows=4, warmup=2)
    losses = [
        loss for _, loss in train.fit(train.new_model("draft", 0), packed, schedule)
    ]
    assert losses[0] == pytest.approx(math.log(train.VOCABULARY), rel=0.05)
    assert losses[-1] < losses[0] - 1


def test_differences_name_the_figure_and_nan_is_one() -> None:
    shipped = {
        "heldout_loss": {"target": 1.0, "draft": 2.0},
        "acceptance": {"overall": 0.7},
        "tolerance": build.TOLERANCE,
    }
    now = {
        "heldout_loss": {"target": 1.001, "draft": 2.1},
        "acceptance": {"overall": math.nan},
    }
    lines = list(build.differences(shipped, now))
    assert [line.split(" is ")[0] for line in lines] == [
        "held-out loss of the draft",
        "acceptance",
    ]
    assert not list(build.differences(shipped, shipped))


def test_check_says_what_is_missing_and_what_was_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {"prompts.jsonl": "{}\n", "corpora/imdb.train.jsonl": "{}\n"}
    monkeypatch.setattr(build, "text_files", lambda _: (made, None))
    corpora.write({"prompts.jsonl": "{} \n"}, tmp_path)
    lines = list(build.check(tmp_path, 0))
    assert [line.split()[0] for line in lines] == [
        "prompts.jsonl",
        "corpora/imdb.train.jsonl",
        "pair",
    ]
