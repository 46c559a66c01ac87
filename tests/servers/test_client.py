"""Patience with servers: what is tried again, what is refused, and what never leaves
this process.
"""

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from specfair.errors import ModelError
from specfair.servers.client import Client
from specfair.servers.llama_cpp import LLAMA_CPP
from specfair.servers.reply import Reply
from specfair.vocabulary import SERVER_KEY
from tests.servers.simulated import FAULTS, Simulated, events_of, rounds_of

BODY = {"prompt": "one", "n_predict": 9}


@pytest.fixture
def server() -> Iterator[tuple[Simulated, str]]:
    made = Simulated()
    with made.serving() as url:
        yield made, url


def client(url: str, said: list[str] | None = None, **how: Any) -> Client:
    say = str if said is None else said.append
    return Client(url, **{"timeout": 0.5, "pause": 0.001, **how}, say=say)


def ask(asking: Client) -> Reply:
    return asking.ask("prompt 'one'", "/completion", LLAMA_CPP.read, body=BODY)


@pytest.mark.parametrize("fault", FAULTS)
def test_every_trouble_is_one_line_and_another_try(
    server: tuple[Simulated, str], fault: str
) -> None:
    simulated, url = server
    simulated.fault = lambda _, nth: fault if nth < 2 else ""
    said: list[str] = []
    reply = ask(client(url, said))
    assert reply.n_tokens == len(events_of(rounds_of("one", 9))) - 1
    assert simulated.asked["one"] == 3
    assert len(said) == 2
    assert all(line.startswith("prompt 'one': ") and "\n" not in line for line in said)


@pytest.mark.parametrize("fault", FAULTS)
def test_patience_ends_in_one_line(server: tuple[Simulated, str], fault: str) -> None:
    simulated, url = server
    simulated.fault = lambda *_: fault
    with pytest.raises(ModelError, match="gave no answer to prompt 'one'") as caught:
        ask(client(url, retries=1, timeout=0.2))
    assert "\n" not in str(caught.value)
    assert simulated.asked["one"] == 2


def test_a_slow_reply_is_no_trouble_until_its_time_is_over(
    server: tuple[Simulated, str],
) -> None:
    """Every byte comes soon after the one before; the whole takes too long."""
    simulated, url = server
    simulated.fault = lambda *_: "slow"
    said: list[str] = []
    assert ask(client(url, said)).seconds[1] >= 0.02
    assert said == []
    with pytest.raises(ModelError, match="no whole reply in time"):
        ask(client(url, timeout=0.02, retries=0))


def test_what_no_try_mends_is_refused_at_once(server: tuple[Simulated, str]) -> None:
    _, url = server
    said: list[str] = []
    asking = client(url, said)
    with pytest.raises(ModelError, match=r"refuses x: status 404 \(nowhere\)"):
        asking.ask("x", "/no/such/place", list)
    assert asking.facts("/no/such/place") == {}
    assert said == []


def test_where_nobody_listens_the_others_do_not_wait() -> None:
    said: list[str] = []
    asking = client("http://127.0.0.1:9", said, retries=2)
    with pytest.raises(ModelError, match="it answers nobody"):
        ask(asking)
    assert len(said) == 2
    with pytest.raises(ModelError, match="it answers nobody"):
        ask(asking)
    assert len(said) == 2  # nothing was tried again


@pytest.mark.skipif(not shutil.which("openssl"), reason="makes the certificate")
def test_a_certificate_must_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who signed it must be known, and it must be of this server: no other try, and no
    prompt is sent before.
    """
    key, held = tmp_path / "key.pem", tmp_path / "held.pem"
    made = f"openssl req -x509 -newkey rsa:2048 -nodes -keyout {key} -out {held}"
    about = "-days 2 -subj /CN=specfair -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*made.split(), *about.split()], check=True, capture_output=True)
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(held, key)
    simulated, said = Simulated(), list[str]()
    with simulated.serving(secure) as url:
        with pytest.raises(ModelError, match="SSL_CERT_FILE") as caught:
            ask(client(url, said))
        assert "\n" not in str(caught.value)
        monkeypatch.setenv("SSL_CERT_FILE", str(held))
        with pytest.raises(ModelError, match="certificate that does not hold"):
            ask(client(url.replace("127.0.0.1", "localhost"), said))
        assert said == []
        assert not simulated.headers
        reply = ask(client(url, said))
        assert reply.n_tokens == len(events_of(rounds_of("one", 9))) - 1
        with pytest.raises(ModelError, match="gave no answer to prompt 'one'"):
            ask(client(url.replace("https", "http"), retries=1))
    with (
        Simulated().serving() as url,
        pytest.raises(ModelError, match="gave no answer"),
    ):
        ask(client(url.replace("http", "https"), retries=1))


def test_the_key_is_sent_and_neither_printed_nor_kept(
    server: tuple[Simulated, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server may repeat it in its own words."""
    simulated, url = server
    monkeypatch.setenv(SERVER_KEY, "top-secret")
    said: list[str] = []
    asking = client(url, said)
    reply = ask(asking)
    assert "Authorization: Bearer top-secret" in simulated.headers[-1]
    assert "top-secret" not in repr((asking, reply, said))
    simulated.fault = lambda *_: "echo"
    with pytest.raises(ModelError, match=r"wrong key \*\*\*") as caught:
        ask(asking)
    assert "top-secret" not in str(caught.value)
