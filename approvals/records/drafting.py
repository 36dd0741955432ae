"""The draft of a decision's record: sentences over what the gate sealed and the decision says. It adds nothing."""

from collections.abc import Iterator
from typing import Any, Final

from django.utils.translation import gettext as _

from agents.types import Json
from approvals.cards import Card
from approvals.diffs import Change, changes
from approvals.models import Decision
from approvals.settling import name_of
from approvals.wording import verdict_look
from orchestrator.rendering import plain

SHOWN: Final = 5  # evidence, alternatives and changes that are written out
LONGEST: Final = 300  # characters of one of them


def drafted(card: Card, decision: Decision) -> str:
    """The draft, in the language of whoever reads it."""
    parts = (
        _asked(card),
        _decided(card, decision),
        _changed(decision),
        _grounds(card),
        _others(card),
        _proof(decision),
    )
    return "\n\n".join(part for part in parts if part)


def _asked(card: Card) -> str:
    gate = card.gate
    told = {
        "title": plain(gate.title), "step": gate.step, "run": gate.run_id, "workflow": gate.workflow.title,
        "risk": gate.risk, "who": card.asks or _("the workflow"),
    }  # fmt: skip
    first = _("Question: %(title)s (step %(step)s of run %(run)s, %(workflow)s; risk %(risk)s).") % told
    why = _("%(who)s put it before people because of the rule “%(rule)s”.") % {**told, "rule": plain(card.rule)}
    effect = _("If approved: %(effect)s") % {"effect": plain(card.consequence)} if card.consequence else ""
    return " ".join(part for part in (first, why, effect) if part)


def _decided(card: Card, decision: Decision) -> str:
    told = {
        "who": name_of(decision.decided_by) if decision.decided_by else _("time, by the definition"),
        "verdict": verdict_look(decision.verdict).done,
        "at": f"{decision.decided_at:%Y-%m-%d %H:%M} UTC",
        "via": decision.via,
    }
    lines = [_("Decision: “%(verdict)s” by %(who)s on %(at)s, by way of %(via)s.") % told]
    votes = [vote for vote in card.standing.votes if decision.decided_by_id != vote.voter_id]
    if votes:
        lines.append(_("With the votes of %(names)s.") % {"names": ", ".join(name_of(vote.voter) for vote in votes)})
    if decision.note:
        lines.append(_("Reason given: “%(note)s”.") % {"note": plain(decision.note)[:2000]})
    if decision.checked:
        lines.append(_("Ticked: %(points)s.") % {"points": "; ".join(plain(point) for point in decision.checked)})
    return " ".join(lines)


def _changed(decision: Decision) -> str:
    if decision.after is None or decision.before is None:
        return ""
    found = changes(decision.before, decision.after)
    if not found:
        return _("Nothing was changed.")
    return _list(_("Changed by the person:"), [_change(one) for one in found])


def _change(change: Change) -> str:
    was = "".join(piece.text for piece in change.pieces if piece.op != "new")
    now = "".join(piece.text for piece in change.pieces if piece.op != "gone")
    return f"{change.path}: {_short(was) or '–'} → {_short(now) or '–'}"


def _grounds(card: Card) -> str:
    lines = [text for item in card.evidence if (text := _words(item, ("claim", "title", "text", "quote", "source")))]
    return _list(_("Evidence that was shown:"), lines)


def _others(card: Card) -> str:
    lines = [text for item in card.alternatives if (text := _words(item, ("title", "text", "why", "reason")))]
    return _list(_("Alternatives that were shown:"), lines)


def _proof(decision: Decision) -> str:
    told = {"seal": decision.seal, "version": decision.gate_version}
    return _("What the person saw is sealed as SHA-256 %(seal)s (version %(version)s of the question).") % told


def _words(item: dict[str, Json], names: tuple[str, ...]) -> str:
    found: list[Any] = [item[name] for name in names if isinstance(item.get(name), str) and item[name]]
    return " · ".join(dict.fromkeys(_short(text) for text in found))


def _list(head: str, lines: list[str]) -> str:
    return "\n".join(_rows(head, lines)) if lines else ""


def _rows(head: str, lines: list[str]) -> Iterator[str]:
    yield head
    for line in lines[:SHOWN]:
        yield f"- {line}"
    if len(lines) > SHOWN:
        yield "- " + _("and %(count)s more") % {"count": len(lines) - SHOWN}


def _short(text: str) -> str:
    line = " ".join(plain(text).split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
