"""Requests over HTTP to a server that streams its replies: patience, retries, and one
line for every trouble.

Knows connections, time-outs and server-sent events. Does not know what is asked, nor
what a reply means: who reads one says whether it is whole, and one that is not is asked
for again. The key of a server comes from the environment and is neither kept nor
printed.
"""

import http.client
import json
import os
import random
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from threading import Event as Flag
from typing import Any, TypeAlias, TypeVar
from urllib.parse import urlsplit

from specfair.errors import ModelError
from specfair.typed import json_of
from specfair.vocabulary import SERVER_KEY

T = TypeVar("T")
# what came, and how many seconds after the request was sent
Event: TypeAlias = tuple[float, Mapping[str, Any]]

_MOST = 1 << 24  # bytes; no event and no page is longer
_LONGEST = 60.0  # seconds between two tries, whatever a server asks for
_BUSY = (408, 425, 429)
_NOWHERE = (404, 405, 501)


class UnknownPlaceError(ModelError):
    """The server has no such place."""


class _RefusedError(Exception):
    """An answer that is none."""

    def __init__(self, status: int, said: str, wait: float = 0.0) -> None:
        super().__init__(f"status {status}{f' ({said})' if said else ''}")
        self.status = status
        self.again = status in _BUSY or (status >= 500 and status not in _NOWHERE)
        self.wait = wait


# what another try may mend
_TROUBLES = (
    _RefusedError,
    OSError,
    http.client.HTTPException,
    ValueError,
    KeyError,
    TypeError,
)


@dataclass(frozen=True, slots=True)
class Client:
    """Where a server is, and how patient its client is."""

    url: str
    timeout: float = 60.0  # seconds that one reply may take
    retries: int = 5
    say: Callable[[str], object] = str
    pause: float = 0.25  # seconds before the first retry, twice as long before the next
    gone: Flag = field(default_factory=Flag)  # nobody listens there any more

    def ask(
        self,
        what: str,
        path: str,
        read: Callable[[list[Event]], T],
        *,
        body: Mapping[str, Any] | None = None,
    ) -> T:
        """What `read` makes of the reply. A busy server, a broken connection or reply
        is tried again; `what` is asked for in words.
        """
        for n in range(self.retries + 1):
            if self.gone.is_set():
                break
            try:
                return read(self._events(path, body))
            except ssl.SSLCertVerificationError as error:
                raise ModelError(
                    f"server {self.url!r} has a certificate that does not hold "
                    f"({error.verify_message}). Name its authority in SSL_CERT_FILE."
                ) from error
            except _TROUBLES as e:
                if isinstance(e, _RefusedError) and not e.again:
                    kind = UnknownPlaceError if e.status in _NOWHERE else ModelError
                    raise kind(
                        f"server {self.url!r} refuses {what}: {e}. Mend the request's "
                        f"settings, or set {SERVER_KEY} where it wants a key."
                    ) from e
                reason = _reason(e)
                if n == self.retries:
                    if isinstance(e, ConnectionRefusedError):
                        self.gone.set()
                    break
                wait = max(self.pause * 2**n, getattr(e, "wait", 0.0))
                self.say(f"{what}: {reason}; try {n + 2} of {self.retries + 1}")
                time.sleep(min(wait, _LONGEST) * random.uniform(0.75, 1))
        else:
            raise AssertionError  # the last try either returned or broke off
        why = "it answers nobody" if self.gone.is_set() else reason
        raise ModelError(f"server {self.url!r} gave no answer to {what}: {why}")

    def facts(self, path: str) -> Mapping[str, Any]:
        """What it says there; nothing where it knows no such place."""
        try:
            found = self.ask(path, path, lambda events: events, body=None)
        except UnknownPlaceError:
            return {}
        return found[0][1] if found else {}

    def _events(self, path: str, body: Mapping[str, Any] | None) -> list[Event]:
        """Everything it sends in reply, each with its time."""
        deadline = time.monotonic() + self.timeout
        connection = _connection(self.url, self.timeout)
        try:
            connection.connect()
            sock, sent = connection.sock, time.monotonic()
            data = None if body is None else json.dumps(body).encode()
            method = "GET" if data is None else "POST"
            prefix = urlsplit(self.url).path.rstrip("/")
            connection.request(method, prefix + path, data, _headers())
            response = connection.getresponse()
            if response.status != 200:
                raise _refused(response)
            kind = response.getheader("Content-Type", "")
            streams = kind.startswith("text/event-stream")
            take = response.readline if streams else response.read
            found: list[Event] = []
            while text := take(_MOST):
                left = deadline - time.monotonic()
                if left < 0:
                    raise TimeoutError
                if sock.fileno() >= 0:  # a reply that was read to its end closes it
                    sock.settimeout(left)
                now = time.monotonic() - sent
                if kind.startswith("text/plain"):
                    found.append((now, {"text": text.decode("utf-8", "replace")}))
                else:
                    found += [(now, event) for event in _read(text)]
            return found
        finally:
            connection.close()


def _connection(url: str, timeout: float) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    return kind(parts.hostname or "", parts.port, timeout=timeout)


def _headers() -> dict[str, str]:
    key = os.environ.get(SERVER_KEY, "")
    known = {"Authorization": f"Bearer {key}"} if key else {}
    return {"Content-Type": "application/json", "Connection": "close", **known}


def _read(line: bytes) -> Iterator[Mapping[str, Any]]:
    """The event in a line of a stream, or in all of a reply that is no stream."""
    text = line.strip().removeprefix(b"data:").strip()
    if not text or text == b"[DONE]" or text.startswith((b":", b"event:", b"id:")):
        return
    event = json_of(text)
    if not isinstance(event, dict):
        event = {"value": event}
    if event.get("error"):
        raise _RefusedError(500, _short(event["error"]))
    yield event


def _refused(response: http.client.HTTPResponse) -> _RefusedError:
    text = response.read(2_000).decode("utf-8", "replace")
    asked = response.getheader("Retry-After", "")
    wait = float(asked) if asked.isdecimal() else 0.0
    try:
        said = json_of(text)
    except ValueError:
        said = text
    said = said.get("error", said) if isinstance(said, dict) else said
    return _RefusedError(response.status, _short(said), wait)


def _short(said: object) -> str:
    """What a server says of a mistake, without the key that it may repeat."""
    text = said.get("message", said) if isinstance(said, dict) else said
    shown, key = str(text), os.environ.get(SERVER_KEY, "")
    return (shown.replace(key, "***") if key else shown)[:200]


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no whole reply in time"
    if isinstance(error, _RefusedError):
        return str(error)
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return f"a reply that is not whole ({error or type(error).__name__})"
