"""What cannot be meant is one line."""

import pytest

from specfair import config
from specfair.config import Settings
from specfair.errors import UsageError


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"temprature": 1}, "Did you mean 'temperature'"),
        ({"lookahead": "pmin-5@0.7", "temperature": 1}, "proposals must be greedy"),
        ({"lookahead": "adaptive-5@0.7", "engine": "live"}, "in the replay alone"),
        ({"server": "http://a:1", "drafts": ["b"]}, "audit each server by itself"),
        ({"counting": "canon"}, "canonical or served or as_deployed"),
        ({"counting": "served", "engine": "live"}, "in their own way"),
        ({"counting": "served", "server": "http://h:1"}, "in their own way"),
        ({"draft": "prompt-lokup:5"}, "Did you mean 'prompt-lookup'"),
        ({"draft": "ngram:5"}, "Write ngram:5,2-4"),
        ({"workers": "ray:0"}, "workers = 'ray:0' .*ray:4x2"),
        ({"device_map": "tp"}, "device_map = 'tp' .*take auto, or audit a server"),
        ({"proposals": "best"}, "sampled or greedy"),
        ({"deployed_as": "vlm"}, "transformers or vllm or"),
        ({"max_new_tokens": 0}, "max_new_tokens = 0"),
        ({"max_new_tokens": "many"}, "not a whole number"),
        ({"max_new_tokens": 20.9}, "not a whole number"),
        ({"max_new_tokens": True}, "not a whole number"),
        ({"temperature": True}, "not a number"),
        ({"temperature": [1]}, "not a number"),
        ({"strict": "yes"}, "not true or false"),
        ({"strict": "true"}, "not true or false"),
        ({"strict": 1}, "not true or false"),
        ({"target": 5}, "not a text"),
        ({"by": ["type"]}, "not a text. Give one, such as .NAME."),
        ({"datasets": 5}, "not a list of names"),
        ({"datasets": [1, 2]}, "not a list of names"),
        ({"groups": '"a'}, "cannot be read"),
        ({"temperature": -1}, "temperature = -1"),
        ({"temperature": "nan"}, "temperature = nan"),
        ({"top_p": 0}, "top_p = 0"),
        ({"top_k": -1}, "top_k = -1"),
        ({"prompts_per_group": -1}, "prompts_per_group"),
        ({"engine": "magic"}, "replay or live"),
        ({"continuations": 0}, "continuations = 0"),
        ({"continuations": 2}, "continuations = 2 .*greedy"),
        ({"engine": "llama.cpp"}, "of a pair it is replay or live"),
        ({"engine": "live", "server": "http://h:1"}, "of a server auto or its kind"),
        ({"server": "h:8080"}, "such as http://HOST:PORT"),
        ({"server": "http://me:key@h:1"}, r"'http://\*\*\*@h:1'.*SPECFAIR_SERVER_KEY"),
        ({"server": "http://h:1?key=k"}, "'http://h:1' .*SPECFAIR_SERVER_KEY"),
        ({"target": "gpt2"}, "--specfair-draft"),
        ({"datasets": "imbd"}, "Did you mean 'imdb'"),
        ({"lookahead": "constant-0"}, "lookahead"),
        ({"lookahead": "5"}, "lookahead"),
    ],
)
def test_refusals_are_one_line(values: dict, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        config.override(Settings(), values)
    assert "\n" not in str(caught.value)


def test_options_that_leave_a_run_as_it_is_configured_are_options() -> None:
    assert set(config.OPTIONS_BY_NAME) >= config.AS_CONFIGURED


def test_a_choice_of_nothing_is_not_offered() -> None:
    with pytest.raises(UsageError, match=r"does not fit: sampled or greedy\."):
        config.override(config.Settings(), {"proposals": "None"})
