"""What a server says of itself."""

from dataclasses import replace

from specfair.servers.adapter import About


def test_two_servers_that_say_the_same_are_one() -> None:
    about = About("llama.cpp", "/models/of/this/machine/t.gguf", {"build_info": "b1"})
    assert about.fingerprint == replace(about, facts=dict(about.facts)).fingerprint
    for other in (replace(about, model="t"), replace(about, facts={})):
        assert other.fingerprint != about.fingerprint


def test_a_model_goes_by_no_folder_of_the_server_s() -> None:
    assert About("llama.cpp", "/models/t.gguf", {}).name == "t.gguf"
    assert About("vllm", "org/model", {}).name == "org/model"
