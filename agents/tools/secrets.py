"""`secret://NAME` in arguments: resolved inside the call only, and masked wherever it might come out. No Django.

Where they are kept: see `secret_stores`. Only names that a tool declares are resolved for it.
"""

import base64
import threading
from collections.abc import Iterable
from time import monotonic
from typing import Any, Final
from urllib.parse import quote

from agents.errors import SecretRefused
from agents.tools import secret_stores
from agents.tools.secret_stores import Found
from agents.tools.specs import SECRET
from agents.types import Json

PREFIX: Final = "secret://"
SHORTEST: Final = 8  # a shorter value could not be masked without masking ordinary words
KEPT: Final = 60.0  # seconds that a value from a store over the network is used before that is asked again

_fetched: dict[str, tuple[float, Found]] = {}  # name -> until when, and what
_known: dict[str, str] = {}  # form of a resolved value -> its reference
_lock = threading.Lock()


def references(value: Json) -> set[str]:
    """The names of secrets that arguments refer to. Only a whole text is a reference."""
    if isinstance(value, str):
        return {value.removeprefix(PREFIX)} if value.startswith(PREFIX) else set()
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set().union(*map(references, inner)) if inner else set()


def check(tool: str, names: set[str], declared: frozenset[str]) -> None:
    """Raise SecretRefused for a name that the tool does not declare, before anybody is asked."""
    for name in sorted(names):
        if not SECRET.fullmatch(name) or name not in declared:
            raise SecretRefused(tool=tool, name=name[:100], problem="that tool does not declare")


def resolve(tool: str, arguments: Any, declared: frozenset[str]) -> Any:
    """The arguments with references replaced by values. Raises SecretRefused."""
    if isinstance(arguments, str) and arguments.startswith(PREFIX):
        return reveal(tool, arguments.removeprefix(PREFIX), declared)
    if isinstance(arguments, dict):
        return {key: resolve(tool, item, declared) for key, item in arguments.items()}
    if isinstance(arguments, list):
        return [resolve(tool, item, declared) for item in arguments]
    return arguments


def reveal(tool: str, name: str, declared: frozenset[str]) -> str:
    """One secret's value, remembered so that it is masked from now on. Raises SecretRefused."""
    check(tool, {name}, declared)
    found = _find(name)
    value = found.value if found else ""
    if not value:
        problem = f"is not set; set SECRET_{name} in the worker's environment, or put it into one of SECRET_STORES"
        raise SecretRefused(tool=tool, name=name, problem=problem)
    if len(value) < SHORTEST:
        raise SecretRefused(tool=tool, name=name, problem=f"is shorter than {SHORTEST} characters")
    _remember(name, value)
    return value


def needs_loading(names: Iterable[str]) -> bool:
    """Whether `load` would have to ask a store over the network."""
    return bool(_stale(names)) and secret_stores.is_remote()


def load(names: Iterable[str]) -> dict[str, Found]:
    """Fetch what is not known or not fresh, so that nobody waits for a network afterwards; what was fetched.

    Blocks: for threads. Raises Transient when a store does not answer.
    """
    found = {name: secret for name in _stale(names) if (secret := secret_stores.find(name)) is not None}
    with _lock:
        _fetched.update({name: (monotonic() + KEPT, secret) for name, secret in found.items()})
    return found


def _stale(names: Iterable[str]) -> list[str]:
    now = monotonic()
    return [name for name in sorted(names) if name not in _fetched or _fetched[name][0] < now]


def _find(name: str) -> Found | None:
    if not secret_stores.is_remote():
        return secret_stores.find(name)
    return _fetched[name][1] if name in _fetched else None


def _remember(name: str, value: str) -> None:
    if value in _known:
        return
    raw = value.encode()
    forms = {value, quote(value, safe=""), raw.hex(), value[::-1], repr(value)[1:-1]}
    forms |= {base64.b64encode(raw).decode().rstrip("="), base64.urlsafe_b64encode(raw).decode().rstrip("=")}
    forms |= {line for line in value.splitlines() if len(line) >= SHORTEST}
    with _lock:
        _known.update(dict.fromkeys(sorted(forms, key=len, reverse=True), f"{PREFIX}{name}"))


def mask(text: str) -> str:
    """The text with every secret that this process has resolved replaced by its reference; also encoded forms."""
    if not _known:
        return text
    for form, reference in sorted(_known.copy().items(), key=lambda item: -len(item[0])):
        if form in text:
            text = text.replace(form, reference)
    return text


def mask_json(value: Any) -> Any:
    """The same for every text in a JSON value, keys among them."""
    if not _known:
        return value
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {mask(str(key)): mask_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [mask_json(item) for item in value]
    return value


def forget() -> None:
    """Forget what has been resolved: for tests."""
    with _lock:
        _known.clear()
        _fetched.clear()
