"""Signed addresses for answers that come later: one for each attempt of a task. Nothing of them is stored."""

import re
from typing import Final

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac

_SALT: Final = "orchestrator.answer"
_TOKEN: Final = re.compile(r"an_([0-9a-f]{1,16})_([0-9a-f]{1,4})_([0-9a-f]{64})")


def issue(task: int, attempt: int) -> str:
    """The token of one attempt."""
    return f"an_{task:x}_{attempt:x}_{_signature(task, attempt)}"


def address(task: int, attempt: int) -> str:
    """Where a remote agent sends its answer."""
    return f"{settings.PUBLIC_URL}/api/v1/workers/answers/{issue(task, attempt)}"


def read(token: str) -> tuple[int, int] | None:
    """The task and attempt that a token stands for; None if we did not make it."""
    found = _TOKEN.fullmatch(token)
    if found is None:
        return None
    task, attempt = int(found[1], 16), int(found[2], 16)
    return (task, attempt) if constant_time_compare(found[3], _signature(task, attempt)) else None


def _signature(task: int, attempt: int) -> str:
    return salted_hmac(_SALT, f"{task}:{attempt}", algorithm="sha256").hexdigest()
