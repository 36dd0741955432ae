"""One POST to somebody else's collector: bounded in time and size, no redirects, and why it was not taken."""

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import httpx

SECONDS: Final = 5.0
MOST_ANSWERED: Final = 100_000  # bytes of an answer that are read
_REFUSED: Final = frozenset({400, 411, 413, 414, 415, 422})  # of this very body: the same again is in vain


class Undelivered(Exception):
    """It could not be delivered; the same is tried again later."""

    def __init__(self, problem: str, *, wait: float = 0.0) -> None:
        super().__init__(problem)
        self.wait = wait


class Refused(Undelivered):
    """What was sent was refused for what it is: smaller parts may be taken."""


@dataclass(frozen=True, slots=True)
class Sender:
    """One address, and how to prove who we are there."""

    url: str
    headers: Mapping[str, str]
    certificate: str = ""  # of who may sign the other side's
    client: tuple[str, str] | None = None  # our own, with its key
    seconds: float = SECONDS

    def post(self, body: bytes, headers: Mapping[str, str]) -> bytes:
        """The body of the answer. Raises Undelivered and Refused, whose words quote nothing that was sent."""
        try:
            with (
                httpx.Client(
                    timeout=self.seconds, follow_redirects=False, trust_env=False, verify=self._verify(),
                ) as client,
                client.stream("POST", self.url, content=body, headers={**self.headers, **headers}) as response,
            ):  # fmt: skip
                answer = b"".join(_bounded(response))
        except httpx.TimeoutException as error:
            raise Undelivered(f"{self.host} did not answer within {self.seconds:g} s") from error
        except (httpx.HTTPError, OSError) as error:
            raise Undelivered(f"{self.host} cannot be reached ({type(error).__name__})") from error
        if response.is_success:
            return answer
        words = f"{self.host} answered {response.status_code}"
        if response.status_code in _REFUSED:
            raise Refused(words)
        if response.status_code in (401, 403):
            raise Undelivered(f"{words}: it does not accept who we say we are")
        raise Undelivered(words, wait=_seconds(response.headers.get("Retry-After", "")))

    @property
    def host(self) -> str:
        """Host and port, which may be shown: no path, no query, no name."""
        url = httpx.URL(self.url)
        return f"{url.host}:{url.port}" if url.port else url.host

    def _verify(self) -> bool | ssl.SSLContext:
        if not self.certificate and self.client is None:
            return True
        context = ssl.create_default_context(cafile=self.certificate or None)
        if self.client is not None:
            context.load_cert_chain(*self.client)
        return context


def _bounded(response: httpx.Response) -> Iterator[bytes]:
    left = MOST_ANSWERED
    for part in response.iter_raw():
        yield part[:left]
        left -= len(part)
        if left <= 0:
            return


def _seconds(text: str) -> float:
    return min(float(text), 3600.0) if text.isdecimal() and len(text) < 6 else 0.0
