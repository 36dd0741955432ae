"""What a notice says: a sentence on the page, a text for a channel. Agents' words in it are hostile: disarmed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.utils.dateparse import parse_datetime
from django.utils.timezone import get_current_timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from agents.guardrails import credentials, detectors, masking
from approvals import wording
from approvals.notices.models import Notice, NoticeKind
from approvals.wording import spoken
from orchestrator import rendering

TITLE: Final = 160  # characters of an agent's words that leave the product
LISTED: Final = 15
_DISARM: Final = str.maketrans({"<": "‹", ">": "›", "@": "(at)", **dict.fromkeys("*_~`|", " ")})
SETTINGS: Final = "/inbox/notices/settings/"
CENTRE: Final = "/inbox/notices/"


@dataclass(frozen=True, slots=True)
class Text:
    """One message: a line to see, and what it says."""

    subject: str
    body: str
    brief: str = ""  # for a browser's notification: what it says without links and foot
    path: str = SETTINGS  # where it leads, within the product
    is_urgent: bool = False


def sentence(notice: Notice) -> str:
    """What happened, on one line, without the title. For the page: escape it."""
    return _SENTENCES[NoticeKind(notice.kind)](notice.facts)


def next_action(notice: Notice) -> str:
    """What the link leads to do."""
    return _(_NEXT.get(NoticeKind(notice.kind), gettext_noop("Look")))


def title(notice: Notice) -> str:
    """What it is about, for the page."""
    return rendering.plain(notice.title) or sentence(notice)


def message(notices: Sequence[Notice], *, says_titles: bool, why: str) -> Text:
    """One message for all of them, the gravest first. Plain text; its links are addresses and open nothing."""
    lines = [_line(notice, says_titles=says_titles) for notice in notices[:LISTED]]
    if len(notices) > LISTED:
        more = len(notices) - LISTED
        lines.append(ngettext("… and %(count)d more.", "… and %(count)d more.", more) % {"count": more})
    foot = _("%(why)s Change what reaches you: %(where)s") % {"why": why, "where": address(SETTINGS)}
    first = notices[0]
    return Text(
        _subject(notices, says_titles=says_titles),
        "\n\n".join((*lines, "--\n" + foot)),
        brief=sentence(first) if len(notices) == 1 and says_titles else "",
        path=first.path if len(notices) == 1 else CENTRE,
        is_urgent=any(notice.risk in ("high", "critical") for notice in notices),
    )


def address(path: str) -> str:
    """A place in the product as others can follow it."""
    return settings.PUBLIC_URL + path


def disarmed(text: str) -> str:
    """An agent's words as they may leave the product: one line, no secrets, no personal data, nothing that links.

    Chat services and mail programs make links of addresses, and call everybody when they read `<!channel>` or `@here`.
    """
    flat = rendering.plain(text)
    flat = credentials.hidden(flat, credentials.find(flat))
    flat = masking.mask_text(flat, detectors.find(flat))
    flat = flat.translate(_DISARM).replace("://", "[:]//").replace("www.", "www[.]")
    return flat if len(flat) <= TITLE else flat[: TITLE - 1] + "…"


def _subject(notices: Sequence[Notice], *, says_titles: bool) -> str:
    first = notices[0]
    if len(notices) > 1:
        words = ngettext("%(count)d thing for you", "%(count)d things for you", len(notices)) % {"count": len(notices)}
    else:
        words = disarmed(first.title) if says_titles and first.title else sentence(first)
    return f"[{spoken(first.risk)}] {words} · Watchkeeper"


def _line(notice: Notice, *, says_titles: bool) -> str:
    about = disarmed(notice.title) if says_titles and notice.title else ""
    said = "\n".join(part for part in (f"{about}" if about else "", sentence(notice)) if part)
    return f"{said}\n{next_action(notice)}: {address(notice.path)}"


def _until(facts: dict[str, Any]) -> str:
    moment = parse_datetime(str(facts.get("deadline", "")))
    if moment is None:
        return ""
    local = moment.astimezone(get_current_timezone())
    return f"{local:%d.%m. %H:%M} {local.tzname()}"


def _decide(facts: dict[str, Any]) -> str:
    return _("Waits for a decision in %(queue)s until %(until)s.") % {"queue": facts["queue"], "until": _until(facts)}


def _passed_on(facts: dict[str, Any]) -> str:
    words = _("Nobody decided in time; it came to %(queue)s, until %(until)s.")
    return words % {"queue": facts["queue"], "until": _until(facts)}


def _still_open(facts: dict[str, Any]) -> str:
    words = _("Nobody decided in time; it still waits in %(queue)s, until %(until)s.")
    return words % {"queue": facts["queue"], "until": _until(facts)}


def _reminded(facts: dict[str, Any]) -> str:
    return _("Still waits in %(queue)s, until %(until)s.") % {"queue": facts["queue"], "until": _until(facts)}


def _handed(facts: dict[str, Any]) -> str:
    said = _("%(by)s put it before you.") % {"by": facts.get("by")}
    return f"{said} “{disarmed(str(facts['reason']))}”" if facts.get("reason") else said


def _many(facts: dict[str, Any]) -> str:
    count = int(facts["count"])
    words = ngettext("%(count)d decision waits in %(queue)s.", "%(count)d decisions wait in %(queue)s.", count)
    return words % {"count": count, "queue": facts["queue"]}


def _on_call(facts: dict[str, Any]) -> str:
    count = int(facts.get("count") or 0)
    words = ngettext(
        "Your turn on call for %(queue)s begins; %(count)d decision waits.",
        "Your turn on call for %(queue)s begins; %(count)d decisions wait.",
        count,
    )
    return words % {"count": count, "queue": facts.get("queue")}


def _decided(facts: dict[str, Any]) -> str:
    done = wording.verdict_look(str(facts.get("verdict"))).done
    by = str(facts.get("by"))
    return _("%(done)s.") % {"done": done} if by == "engine" else _("%(done)s by %(by)s.") % {"done": done, "by": by}


def _stopped(facts: dict[str, Any]) -> str:
    what = {"everything": _("Everything"), "workflow": _("A workflow"), "agent": _("An agent")}
    words = _("%(what)s was stopped by %(by)s.")
    return words % {"what": what.get(str(facts.get("scope")), _("Something")), "by": facts.get("by")}


def _alert(facts: dict[str, Any]) -> str:
    if facts.get("handed"):
        return _("%(by)s handed this alert to you.") % {"by": facts["handed"]}
    words = {"critical": _("Critical alert"), "warning": _("Warning")}.get(str(facts.get("severity")), _("Alert"))
    if facts.get("drill"):
        words = _("%(what)s, on a game day: nothing is wrong") % {"what": words}
    return _("%(what)s; nobody has answered it yet.") % {"what": words} if facts.get("level") else f"{words}."


def _digest(facts: dict[str, Any]) -> str:
    words = {
        "weekly": _("The week from %(day)s, in figures."), "monthly": _("The month from %(day)s, in figures."),
    }  # fmt: skip
    return words.get(str(facts.get("kind")), _("The quarter from %(day)s, in figures.")) % {"day": facts.get("since")}


_SENTENCES: Final[dict[NoticeKind, Callable[[dict[str, Any]], str]]] = {
    NoticeKind.DECIDE: _decide,
    NoticeKind.PASSED_ON: _passed_on,
    NoticeKind.STILL_OPEN: _still_open,
    NoticeKind.REMINDED: _reminded,
    NoticeKind.AMENDED: lambda facts: (
        _("It was edited, so earlier votes are void: it waits in %(queue)s again.") % {"queue": facts["queue"]}
    ),
    NoticeKind.CALLED: lambda facts: (
        _("Nobody has taken it up in %(queue)s yet, and it is your turn; until %(until)s.")
        % {"queue": facts["queue"], "until": _until(facts)}
    ),
    NoticeKind.ON_CALL: _on_call,
    NoticeKind.CONSULTED: lambda facts: (
        _("It is decided in %(queue)s until %(until)s, and you are consulted: say what you think of it.")
        % {"queue": facts["queue"], "until": _until(facts)}
    ),
    NoticeKind.INFORMED: lambda facts: _("%(what)s You are kept informed of it.") % {"what": _decided(facts)},
    NoticeKind.HANDED: _handed,
    NoticeKind.STRANDED: lambda facts: _("Nobody can decide it: %(why)s.") % {"why": facts.get("why")},
    NoticeKind.MANY: _many,
    NoticeKind.DECIDED: _decided,
    NoticeKind.COMMENTED: lambda facts: _("%(by)s said something about it.") % {"by": facts.get("by")},
    NoticeKind.RUN_FAILED: lambda facts: _("Run #%(run)s, which you started, failed.") % {"run": facts.get("run")},
    NoticeKind.STOPPED: _stopped,
    NoticeKind.ALERT: _alert,
    NoticeKind.DIGEST: _digest,
    NoticeKind.CHANNEL_BROKEN: lambda facts: (
        _("%(name)s is switched off: its last messages did not arrive. %(problem)s")
        % {"name": facts.get("name"), "problem": facts.get("problem")}
    ),
    NoticeKind.ACCESS_WAITS: lambda facts: (
        _("%(by)s asks for this change of access; a second person must confirm it.") % {"by": facts.get("by")}
    ),
    NoticeKind.POLICY_WAITS: lambda facts: (
        _("%(by)s proposed version %(number)s of the tool policy %(policy)s; a second person must approve it.")
        % {"by": facts.get("by"), "number": facts.get("number"), "policy": facts.get("policy")}
    ),
    NoticeKind.PROMPT_WAITS: lambda facts: (
        _("%(by)s asks for a review of version %(version)s of the prompt %(prompt)s.")
        % {"by": facts.get("by"), "version": facts.get("version"), "prompt": facts.get("prompt")}
    ),
}
_NEXT: Final = {
    NoticeKind.DECIDE: gettext_noop("Decide"),
    NoticeKind.PASSED_ON: gettext_noop("Decide"),
    NoticeKind.STILL_OPEN: gettext_noop("Decide"),
    NoticeKind.REMINDED: gettext_noop("Decide"),
    NoticeKind.AMENDED: gettext_noop("Look again"),
    NoticeKind.CALLED: gettext_noop("Decide"),
    NoticeKind.ON_CALL: gettext_noop("Open the inbox"),
    NoticeKind.CONSULTED: gettext_noop("Say what you think"),
    NoticeKind.INFORMED: gettext_noop("Read it"),
    NoticeKind.POLICY_WAITS: gettext_noop("Review"),
    NoticeKind.HANDED: gettext_noop("Decide"),
    NoticeKind.STRANDED: gettext_noop("See who could"),
    NoticeKind.MANY: gettext_noop("Open the inbox"),
    NoticeKind.DECIDED: gettext_noop("See what follows"),
    NoticeKind.COMMENTED: gettext_noop("Read it"),
    NoticeKind.RUN_FAILED: gettext_noop("See why"),
    NoticeKind.STOPPED: gettext_noop("See its effect"),
    NoticeKind.ALERT: gettext_noop("Look into it"),
    NoticeKind.DIGEST: gettext_noop("Read it"),
    NoticeKind.CHANNEL_BROKEN: gettext_noop("Mend it"),
    NoticeKind.ACCESS_WAITS: gettext_noop("Look and confirm"),
    NoticeKind.PROMPT_WAITS: gettext_noop("Review"),
}
