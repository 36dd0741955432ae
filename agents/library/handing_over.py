"""How the agents of the gallery's templates hand over what people have approved: as a file, or once into a register."""

from collections.abc import Mapping
from typing import Any, Final

from agents.context import AgentContext
from agents.library.registers import Entry, FileRegister
from agents.types import Json

LONGEST: Final = 60  # characters of a file's name that are taken from what it is about
UNDONE: Final = "the run that made it was undone"


def file_name(kind: str, about: str) -> str:
    """`memo-acme-inc.md`: letters and digits of what it is about, so that no text becomes a path."""
    plain = "".join(letter if letter.isalnum() else "-" for letter in about.lower())[:LONGEST]
    return f"{kind}-{plain}.md"


def enter_once(register: FileRegister, effect: str, contents: Mapping[str, Any], ctx: AgentContext) -> str:
    """The reference under which `contents` are on record, entered once whatever the number of attempts.

    An attempt that died between entering and hearing of it finds the entry by its key. Raises Business when the key
    holds other contents.
    """

    async def enter() -> Json:
        return register.enter(ctx.key, contents).reference

    async def ask() -> Json:
        found = register.find(ctx.key)
        return found.reference if found else None

    return str(ctx.wait_for(ctx.once(effect, enter, reconcile=ask)))


def take_back(register: FileRegister, reference: str) -> Entry:
    """Take an entry out of force; it stays on record with the reason. Raises Business for an unknown one."""
    return register.withdraw(reference, UNDONE)
