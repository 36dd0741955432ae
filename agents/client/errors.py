"""What an agent's function raises, and what the server refuses."""

from typing import Any


class Failure(Exception):
    """The agent failed. `message` is one sentence for a person, without secrets."""

    kind = "transient"

    def __init__(self, message: str, *, code: str = "", retry_after: float | None = None) -> None:
        self.message = message
        self.code = code
        self.retry_after = retry_after  # seconds
        super().__init__(message)


class Transient(Failure):
    """Trying again may help."""


class Permanent(Failure):
    """Trying again with the same input cannot help."""

    kind = "permanent"


class Business(Failure):
    """The agent works, but the world says no."""

    kind = "business"


class Ask(Exception):
    """Ask people before going on. Approved, the call comes again, and `call.approval(action)` holds their answer."""

    def __init__(self, action: dict[str, Any], reason: str, proposal: dict[str, Any] | None = None) -> None:
        self.action = action
        self.reason = reason
        self.proposal = proposal or {}
        super().__init__(reason)


class Refused(Exception):
    """The server said no; `code` is stable, `remedy` says what to do."""

    def __init__(self, status: int, code: str, message: str, remedy: str = "", retry_after: float = 0) -> None:
        self.status = status
        self.code = code
        self.remedy = remedy
        self.retry_after = retry_after
        super().__init__(f"{message}; {remedy}" if remedy else message)


class CallOver(Refused):
    """The call is no longer this worker's: its answer changes nothing."""
