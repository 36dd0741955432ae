"""The ledger of a magentic step: its lines, and the changes that its manager or a person may make to them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from agents.types import Json
from orchestrator.patterns import bounds

ENTRIES: Final = 60  # lines, the dropped ones included
OPEN: Final = frozenset({"todo", "failed"})  # lines that may still be changed, dropped, moved or run
CHANGES: Final = ("add", "change", "drop", "move")


@dataclass
class TaskLedger:
    """Lines in their order: id, title, agent, input, status, why, by, round, result. What was refused is kept, too."""

    workers: Sequence[str]  # agents that a line may name
    entries: list[dict[str, Json]] = field(default_factory=list)
    log: list[dict[str, Json]] = field(default_factory=list)  # {round, by, did, id, why}
    refused: list[str] = field(default_factory=list)
    round: int = 1

    def change(self, change: dict[str, Json], *, by: str) -> str:
        """Make one change; the id of its line, or "" if it was refused."""
        did, why = str(change.get("do")), bounds.text(change.get("why"), 500)
        name = bounds.text(change.get("id"), 60)
        entry = self.entry(name)
        if problem := self.problem(change):
            self.refused.append(f"{bounds.text(did, 20)} {name}: {problem}")
            if by != "manager":  # who is told what was refused; a person reads it in the log
                self._note(by, "refused", name, problem)
            return ""
        match did:
            case "add":
                entry = self._added(name, by, why)
                self._write(entry, change)
            case "change":
                assert entry is not None
                self._write(entry, change)
            case "drop":
                assert entry is not None
                entry["status"] = "dropped"
            case _:
                self._move(name, bounds.text(change.get("before"), 60))
        name = name if entry is None else str(entry["id"])
        self._note(by, did, name, why)
        return name

    def problem(self, change: dict[str, Json]) -> str:
        """Why a change cannot be made; "" if it can."""
        did, entry = str(change.get("do")), self.entry(bounds.text(change.get("id"), 60))
        if did not in CHANGES:
            return "a change is add, change, drop or move"
        if did == "add" and len(self.entries) >= ENTRIES:
            return f"the ledger is full: {ENTRIES} tasks"
        if did != "add" and entry is None:
            return "there is no such task"
        if did != "add" and entry is not None and entry["status"] in {"done", "dropped"}:
            return f"it is {entry['status']}; add a new task instead"
        if did in {"add", "change"} and ("agent" in change or did == "add") and change.get("agent") not in self.workers:
            return f"its agent must be one of {', '.join(self.workers)}"
        return ""

    def entry(self, name: str) -> dict[str, Json] | None:
        """The line with this id."""
        return next((entry for entry in self.entries if entry["id"] == name), None)

    def hear(self, changes: Iterable[Json], *, by: str) -> list[tuple[str, str]]:
        """Make several changes; (what, id) of those that were not refused."""
        asked = [bounds.mapping(one) for one in changes][:ENTRIES]
        return [(str(change["do"]), name) for change in asked if (name := self.change(change, by=by))]

    def _added(self, name: str, by: str, why: str) -> dict[str, Json]:
        free = name if name and self.entry(name) is None else f"t{len(self.entries) + 1}"
        entry: dict[str, Json] = {"id": free, "status": "todo", "by": by, "why": why, "round": self.round}
        entry |= {"input": {}, "result": None}
        self.entries.append(entry)
        return entry

    def _write(self, entry: dict[str, Json], change: dict[str, Json]) -> None:
        entry["title"] = bounds.text(change.get("title", entry.get("title")), 200) or str(entry["id"])
        entry["agent"] = change.get("agent", entry.get("agent"))
        if "input" in change:
            given = bounds.value(change["input"])
            entry["input"] = given if isinstance(given, dict) else {"value": given}
        if entry["status"] == "failed":
            entry["status"] = "todo"

    def _move(self, name: str, before: str) -> None:
        entry = self.entry(name)
        assert entry is not None
        rest = [other for other in self.entries if other is not entry]
        place = next((at for at, other in enumerate(rest) if other["id"] == before), len(rest))
        self.entries[:] = [*rest[:place], entry, *rest[place:]]

    def _note(self, by: str, did: str, name: str, why: str) -> None:
        self.log.append({"round": self.round, "by": by, "did": did, "id": name, "why": why})
