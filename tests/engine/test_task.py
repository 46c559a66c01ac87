"""What is asked of a pair: drawn numbers, versions, and what never ends is refused."""

from dataclasses import replace
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest
import torch

from specfair.decoding import Decoding
from specfair.engine.task import task
from specfair.models import identity
from tests import tiny_models

PAIR = tiny_models.pair()
SAMPLED = Decoding(4, temperature=1.0)


def test_every_prompt_draws_its_own_numbers() -> None:
    asked = task(PAIR, tiny_models.prompts(3), SAMPLED)
    assert asked.uniforms(np.array([2, 0])).shape == (2, 4, 3)
    assert torch.equal(
        asked.uniforms(np.array([2]))[0], asked.uniforms(np.array([0, 2]))[1]
    )
    greedy = task(PAIR, tiny_models.prompts(3), Decoding(4))
    assert not greedy.uniforms(np.array([1])).any()


def test_nothing_ends_a_text_where_eos_is_ignored() -> None:
    prompts = tiny_models.prompts(3)
    assert task(PAIR, prompts, SAMPLED).eos == PAIR.eos != ()
    endless = task(PAIR, prompts, replace(SAMPLED, ignore_eos=True))
    assert endless.eos == endless.header.eos == ()
    assert endless.shape == (3, 4)


def test_a_package_that_is_not_installed_has_no_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(identity, "version", absent)
    identity.versions.cache_clear()
    versions = task(PAIR, [], Decoding(4)).header.versions
    identity.versions.cache_clear()
    assert set(versions.values()) == {"unknown"}
