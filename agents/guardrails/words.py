"""What guardrails did, in sentences for people: from the facts that an event keeps."""

from collections.abc import Mapping
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from agents.types import Json

FEW: Final = 4
_KINDS: Final[Mapping[str, str | Promise]] = {
    "email": gettext_lazy("e-mail address"),
    "phone": gettext_lazy("telephone number"),
    "ssn": gettext_lazy("social security number"),
    "card": gettext_lazy("card number"),
    "iban": gettext_lazy("bank account"),
    "record": gettext_lazy("medical record number"),
    "nhs_number": gettext_lazy("NHS number"),
    "diagnosis": gettext_lazy("diagnosis"),
    "birth_date": gettext_lazy("date of birth"),
}


def sentence(facts: Json) -> str:
    """One sentence, empty if nothing was done: "kept customer.ssn from the agent; masked an e-mail address in text"."""
    if not isinstance(facts, dict):
        return ""
    parts = []
    if names := [str(name) for name in _list(facts, "stripped")]:
        parts.append(_("kept from the agent: %(names)s") % {"names": _some(names)})
    if opened := [str(one.get("at", "?")) for one in _list(facts, "opened") if isinstance(one, dict)]:
        parts.append(_("given in clear: %(names)s") % {"names": _some(opened)})
    if masked := [_masked(one) for one in _list(facts, "masked") if isinstance(one, dict)]:
        parts.append(_("masked: %(what)s") % {"what": _some(list(dict.fromkeys(masked)))})
    if flagged := [one for one in _list(facts, "flagged") if isinstance(one, dict)]:
        places = _some(list(dict.fromkeys(str(one.get("at", "?")) for one in flagged)))
        parts.append(_("looks like an attack on the model: %(places)s") % {"places": places})
    return "; ".join(parts)


def lines(facts: Json) -> list[dict[str, str]]:
    """Each thing that was done, for a card: what, where, and why."""
    if not isinstance(facts, dict):
        return []
    found = [
        {
            "what": _("Kept from the agent"),
            "where": str(name),
            "why": _("outside its contract, or tagged data it does not declare"),
        }
        for name in _list(facts, "stripped")
    ]
    found += [
        {
            "what": _("Given in clear"),
            "where": str(one.get("at", "?")),
            "why": _("the agent declares that it sees %(tags)s")
            % {"tags": ", ".join(str(tag).upper() for tag in _list(one, "tags"))},
        }
        for one in _list(facts, "opened")
        if isinstance(one, dict)
    ]
    found += [_masked_line(one) for one in _list(facts, "masked") if isinstance(one, dict)]
    found += [
        {
            "what": _("Looks like an attack on the model"),
            "where": str(one.get("at", "?")),
            "why": str(one.get("why", "")),
        }
        for one in _list(facts, "flagged")
        if isinstance(one, dict)
    ]
    return found


def _masked_line(one: Mapping[str, Any]) -> dict[str, str]:
    told = {name: one.get(name, "?") for name in ("at", "from", "to")}
    return {
        "what": _("Masked: %(kind)s") % {"kind": kind(one)},
        "where": _("%(at)s, characters %(from)s to %(to)s") % told,
        "why": str(one.get("why", "")),
    }


def kind(one: Mapping[str, Any]) -> str:
    """What was masked, as people call it."""
    found = str(one.get("kind", "?"))
    return str(_KINDS.get(found, found.upper() if one.get("tag") == found else found))


def _masked(one: Mapping[str, Any]) -> str:
    return _("%(kind)s in %(at)s") % {"kind": kind(one), "at": one.get("at") or "?"}


def _list(facts: Mapping[str, Any], name: str) -> list[Any]:
    found = facts.get(name)
    return found if isinstance(found, list) else []


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:FEW])
    left = len(names) - FEW
    if left <= 0:
        return shown
    return ngettext("%(names)s and %(count)d more", "%(names)s and %(count)d more", left) % {
        "names": shown,
        "count": left,
    }
