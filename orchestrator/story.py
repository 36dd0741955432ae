"""A run's events as sentences that people read. Pure: an event and its names in, a sentence out."""

from collections.abc import Callable, Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from agents.guardrails import words as guard_words
from agents.marking import marked
from agents.types import Json
from orchestrator import gate_story, judged_story, state_story, tool_story
from orchestrator.budgets import words as budget_words
from orchestrator.happenings import Entry, Happening, Who
from orchestrator.timed_story import by_hand, moment, timed

# Kinds that every task has twice: left out of the short story, which keeps what people did and what went wrong.
ROUTINE: Final = frozenset({"task.started", "task.succeeded", "task.released", "state.written", "task.copied"})

# Why the engine leaves a step out, as its SQL stores it.
_LEFT_OUT: Final = frozenset(
    {
        marked("its branch was not taken"),
        marked("nothing before it ran"),
        marked("too few of the steps before it succeeded"),
    }
)

# People act on these too.
_REASONED: Final = frozenset({"task.noted", "task.restarted", "task.terminated", "state.written"})


def tell(event: Happening) -> Entry:
    """The event's line. An unknown kind is shown by its name: nothing that happened is ever left out."""
    who, name = actor_of(event.actor)
    told = _TELLERS.get(event.kind)
    text = told(event) if told else timed(event.kind, event.facts)
    note = event.note or _reason(event)
    return Entry(
        event.pos, event.at, event.kind, who, name, text, event.step_key, event.step, event.gate, event.gate_title, note
    )


def actor_of(actor: str) -> tuple[Who, str]:
    """Who did it: a person by name, an agent by name, or the engine in whatever guise."""
    kind, found, name = actor.partition(":")
    if kind == "user" and found:
        return "person", name
    if kind == "agent" and found:
        return "agent", name
    if kind == "signal" and found:
        return "engine", _("signal %(number)s") % {"number": name}
    if kind == "link" and found:
        return "engine", _("somebody with the link %(number)s") % {"number": name}
    if kind == "callback":
        return "engine", _("a call back")
    if kind == "group" and found:
        return "engine", _("the group %(name)s") % {"name": name}
    if kind == "schedule" and found:
        return "engine", _("the schedule %(name)s") % {"name": name}
    return "engine", _("worker %(number)s") % {"number": name} if kind == "shift" else _(
        "the feed"
    ) if kind == "feed" else ""


def said_reason(reason: str) -> str:
    """A reason as it is shown: the engine's own in the user's language, a person's as it was typed."""
    return _(reason) if reason in _LEFT_OUT else reason


def _reason(event: Happening) -> str:
    """The reason of something a person did to the run; the engine's own reasons are part of its sentence."""
    by_a_person = event.actor.startswith("user:") and event.kind != "task.skipped"  # whose sentence has it already
    told = by_a_person or event.kind.startswith(("run.", "stop.", "budget.")) or event.kind in _REASONED
    return str(event.facts.get("reason", "")) if told else ""


def _attempt(event: Happening) -> str:
    number = event.facts.get("attempt")
    return _(" (attempt %(number)s)") % {"number": number} if isinstance(number, int) and number > 1 else ""


def _run_started(event: Happening) -> str:
    count = event.facts.get("tasks")
    return ngettext("started the run of %(count)d step", "started the run of %(count)d steps", int(str(count or 0))) % {
        "count": int(str(count or 0))
    }


def _task_skipped(event: Happening) -> str:
    reason = said_reason(str(event.facts.get("reason") or ""))
    return _("was skipped: %(reason)s") % {"reason": reason} if reason else _("was skipped: its condition did not hold")


def _retry_scheduled(event: Happening) -> str:
    return _("failed (%(code)s) and will be tried again%(attempt)s") % {
        "code": event.facts.get("code", _("no code")),
        "attempt": _attempt(event),
    }


def _cancelled(event: Happening) -> str:
    count = event.facts.get("count")
    if not isinstance(count, int):
        return _("was cancelled")
    return ngettext("cancelled %(count)d unfinished step", "cancelled %(count)d unfinished steps", count) % {
        "count": count
    }


def _spawned(event: Happening) -> str:
    count = int(str(event.facts.get("count") or 0))
    text = ngettext("started %(count)d task", "started %(count)d tasks", count) % {"count": count}
    says = event.facts.get("says")
    return f"{text}: {says}" if says else text


def _plain_waits() -> dict[str, str]:
    return {
        "callback": _("waits for a call back"),
        "answer": _("waits for an answer from outside"),
        "message": _("waits for a message"),
    }


def _waiting(event: Happening) -> str:
    if budget := event.facts.get("budget"):
        return _("waits for a budget: %(budget)s") % {"budget": budget}
    if "candidates" in event.facts:
        return _("waits for an agent: %(reason)s") % {"reason": event.facts.get("reason", "")}
    key = event.facts.get("key")
    if plain := _plain_waits().get(str(event.facts.get("for"))):
        return plain
    match event.facts.get("for"):
        case "timer":
            return _("waits until %(until)s") % {"until": moment(event.facts.get("until"))}
        case "event":
            known = {"signal": event.facts.get("signal", ""), "key": f" “{key}”" if key else ""}
            return _("waits for the signal %(signal)s%(key)s") % known
        case "run":
            known = {"run": event.facts.get("run", ""), "workflow": event.facts.get("workflow", "")}
            return _("started run #%(run)s of %(workflow)s and waits for its end") % known
    return _("waits for a person")


def _finished(event: Happening) -> str:
    cached = event.facts.get("cached")
    if isinstance(cached, int):
        return _("finished from cache, with the result of run #%(run)d for the same input") % {"run": cached >> 20}
    if event.facts.get("given"):
        return _("was skipped with an output that a person gave")
    if told := by_hand(event.facts):
        return told
    late = event.facts.get("late_s")
    if isinstance(late, int | float):
        return _("went on %(count)d s late: nothing ran that could have woken it") % {"count": round(late)}
    did = guard_words.sentence(event.facts.get("guard"))
    return _("finished") + _attempt(event) + (f"; {did}" if did else "")


def _guarded(event: Happening) -> str:
    return guard_words.sentence(event.facts.get("guard")) or _("its data was left as it is")


def _violated(event: Happening) -> str:
    told = {"agent": event.facts.get("agent", "?"), "did": guard_words.sentence(event.facts.get("guard"))}
    text = _("%(agent)s broke its guardrails") % told
    return f"{text}: {told['did']}" if told["did"] else text


def _spiked(event: Happening) -> str:
    facts = {name: event.facts.get(name, "?") for name in ("agent", "count", "seconds")}
    return _("%(agent)s is frozen after %(count)s violations within %(seconds)s seconds; people are asked") % facts


def _signal_published(event: Happening) -> str:
    key = event.facts.get("key")
    known = {"name": event.facts.get("name", ""), "key": f" “{key}”" if key else ""}
    return _("published the signal %(name)s%(key)s") % known


def _signal_refused(event: Happening) -> str:
    known = {"name": event.facts.get("name", ""), "problem": event.facts.get("problem", "")}
    return _("did not take the signal %(name)s: %(problem)s") % known


def _noted(event: Happening) -> str:
    if line := event.facts.get("line"):
        return _("changed its ledger: %(did)s %(line)s") % {"did": event.facts.get("did", ""), "line": line}
    return _("ended it with these words") if event.facts.get("kind") == "end" else _("said to it")


def _lost(event: Happening) -> str:
    text = _("lost its worker; it goes back to be run again%(attempt)s") % {"attempt": _attempt(event)}
    return _("lost its worker for the third time and waits for a person") if event.facts.get("quarantined") else text


def _returned(event: Happening) -> str:
    reasons = {
        "budget": _("goes on: its budget reaches again"),
        "no_agent": _("goes on: an agent for it is back"),
    }
    return reasons.get(str(event.facts.get("reason", "")), _("was made ready to run again"))


def _assigned(event: Happening) -> str:
    return _("was given to %(agent)s: %(reason)s") % {
        "agent": event.facts.get("agent", ""),
        "reason": event.facts.get("reason", ""),
    }


def _budget(event: Happening) -> str:
    """How much of which budget is used."""
    facts = event.facts
    words = facts.get("words") or (budget_words(facts) if "scope" in facts else facts.get("resource", ""))
    told = {"words": words, "spent": _figure(facts.get("spent")), "limit": _figure(facts.get("limit"))}
    if event.kind == "budget.warned":
        return _("more than 80 %% of the %(words)s are used: %(spent)s of %(limit)s") % told
    return _("used up its budget: %(words)s (%(spent)s of %(limit)s); what needs it waits for people") % told


def _figure(value: Json) -> str:
    return f"{value:,.10g}" if isinstance(value, int | float) else "?"


def _budget_changed(event: Happening) -> str:
    return _("changed the budget: %(words)s") % {"words": event.facts.get("words", "")}


def _policy(event: Happening) -> str:
    return _("was refused: %(agent)s has no authority for %(category)s") % {
        "agent": event.facts.get("agent", ""),
        "category": event.facts.get("category", ""),
    }


def _fell_back(event: Happening) -> str:
    facts = event.facts
    return _("went from %(from)s to its fallback %(to)s (%(code)s)") % {
        "from": facts.get("from", ""), "to": facts.get("to", ""), "code": facts.get("code", ""),
    }  # fmt: skip


def _let_go(event: Happening) -> str:
    if after := event.facts.get("after"):
        return _("goes on, although %(after)s waits for people") % {"after": after}
    return _("goes on: %(agent)s may work again") % {"agent": event.facts.get("agent", "")}


def _compensating(event: Happening) -> str:
    count = int(str(event.facts.get("undo") or 0))
    if "checkpoint" in event.facts:
        return _("the run goes back: %(count)d steps that were done are undone first") % {"count": count}
    if not count:
        return _("the run is ending; whoever answers for it is told")
    return ngettext(
        "the run is ending: %(count)d step that was done is undone",
        "the run is ending: %(count)d steps that were done are undone, the last one first",
        count,
    ) % {"count": count}


def _fixed(text: str | Promise, *, counted: bool = False) -> Callable[[Happening], str]:
    return lambda event: f"{text}{_attempt(event) if counted else ''}"


def _either(by_person: str | Promise, by_itself: str | Promise) -> Callable[[Happening], str]:
    """A sentence between a person's name and the step's, or one that begins with the step."""
    return lambda event: str(by_person if event.actor.startswith("user:") else by_itself)


_TELLERS: Final[Mapping[str, Callable[[Happening], str]]] = {
    "run.started": _run_started,
    "run.paused": _fixed(gettext_lazy("paused the run")),
    "run.resumed": _fixed(gettext_lazy("resumed the run")),
    "run.cancelled": _fixed(gettext_lazy("cancelled the run")),
    "run.retried": _fixed(gettext_lazy("retried the run")),
    "run.succeeded": _fixed(gettext_lazy("the run succeeded")),
    "run.stranded": _fixed(gettext_lazy("nothing in the run could go on by itself; people were asked")),
    "run.failed": _fixed(gettext_lazy("the run failed")),
    "run.queued": _fixed(gettext_lazy("the run waits for its turn: its workflow is at its limit")),
    "run.admitted": _fixed(gettext_lazy("there was room: the run begins")),
    "run.compensating": _compensating,
    "run.single_agent": lambda event: (
        _("is done by one agent, %(agent)s: the workflow is in single-agent mode")
        % {"agent": event.facts.get("agent", "")}
    ),
    "run.accepted": _fixed(gettext_lazy("accepted the incomplete result as it is")),
    "run.partly_succeeded": _fixed(gettext_lazy("the run ended in part: some of what it needs is missing")),
    "task.fell_back": _fell_back,
    "task.held_back": lambda event: (
        _("waits: %(agent)s is out of service after failures in a row") % {"agent": event.facts.get("agent", "")}
    ),
    "task.let_go": _let_go,
    "task.reopened": lambda event: (
        _("%(count)d steps are to be done again") % {"count": int(str(event.facts.get("count") or 0))}
    ),
    "task.started": _fixed(gettext_lazy("started"), counted=True),
    "task.succeeded": _finished,
    "signal.published": _signal_published,
    "signal.refused": _signal_refused,
    "callback.received": _fixed(gettext_lazy("received a call back before it had begun to wait; it is kept")),
    "callback.issued": _fixed(gettext_lazy("issued a new secret address; the old one works no more")),
    "stop.set": lambda event: _("paused") if event.facts.get("lets_finish") else _("stopped"),
    "stop.lifted": _fixed(gettext_lazy("let go on")),
    "task.edited": _fixed(gettext_lazy("gets another input")),
    "task.redirected": lambda event: (
        _("goes from %(from)s to %(to)s") % {"from": event.facts.get("from"), "to": event.facts.get("to")}
    ),
    "run.priority_changed": lambda event: (
        _("changed the run's priority from %(from)s to %(to)s")
        % {"from": event.facts.get("from"), "to": event.facts.get("to")}
    ),
    "run.deadline_changed": lambda event: (
        _("set the run's deadline to %(to)s") % {"to": event.facts["to"]}
        if event.facts.get("to")
        else _("took the run's deadline away")
    ),
    "run.deadline_passed": _fixed(gettext_lazy("the run is past its deadline and goes first from now on")),
    "run.migrated": lambda event: (
        _("moved the run from version %(from)s to version %(to)s")
        % {"from": event.facts.get("from"), "to": event.facts.get("to")}
    ),
    "task.skipped": _task_skipped,
    "quality.assessed": judged_story.assessed,
    "guardian.raised": judged_story.guardian_said,
    "guardian.held": judged_story.guardian_said,
    "task.failed": lambda event: (
        _("failed: %(code)s") % {"code": event.facts.get("code", _("no code"))} + _attempt(event)
    ),
    "task.retry_scheduled": _retry_scheduled,
    "task.returned": _returned,
    "task.assigned": _assigned,
    "budget.warned": _budget,
    "budget.exceeded": _budget,
    "budget.changed": _budget_changed,
    "policy.refused": _policy,
    "task.waiting": _waiting,
    "task.cancelled": _cancelled,
    "task.lost": _lost,
    "task.late_result": _fixed(gettext_lazy("delivered a result too late; it is kept and was not applied")),
    "task.released": _fixed(gettext_lazy("was handed back unjudged")),
    "task.spawned": _spawned,
    "task.noted": _noted,
    "task.guarded": _guarded,
    "task.withheld": _fixed(gettext_lazy("was to go out without the people it needs: it is held")),
    "guard.violated": _violated,
    "guard.spiked": _spiked,
    "task.copied": lambda event: _("was copied from run #%(run)s") % {"run": event.facts.get("run", "?")},
    "task.rolled_back": _either(gettext_lazy("set back, to start anew:"), gettext_lazy("was set back and starts anew")),
    "task.restarted": _either(
        gettext_lazy("took from its agent, to start again:"), gettext_lazy("was taken from its agent and starts again")
    ),
    "task.terminated": _either(
        gettext_lazy("stopped the agent that worked on"),
        gettext_lazy("its agent was stopped; what it knew is kept as a checkpoint"),
    ),
    "run.forked": lambda event: _("forked this run from #%(run)s") % {"run": event.facts.get("run", "?")},
    "run.traced": _fixed(gettext_lazy("belongs to the trace of the request that asked for it")),
    "run.rolled_back": lambda event: (
        _("rolled the run back to checkpoint %(number)s, “%(name)s”")
        % {"number": event.facts.get("checkpoint", "?"), "name": event.facts.get("name", "")}
    ),
    "state.written": state_story.written,
    "finding.discovered": state_story.found,
    "checkpoint.made": lambda event: (
        _("saved checkpoint %(number)s, “%(name)s”")
        % {"number": event.facts.get("checkpoint", "?"), "name": event.facts.get("name", "")}
    ),
    "conflict.found": lambda event: _("found a conflict about %(key)s") % {"key": event.facts.get("key", "?")},
    "conflict.resolved": state_story.conflict_resolved,
    "task.revised": _fixed(gettext_lazy("goes back to be done again with a reviewer's note")),
    **gate_story.TELLERS,
    **tool_story.TELLERS,
    "feedback.given": _fixed(gettext_lazy("gave feedback on this")),
    "feedback.answered": _fixed(gettext_lazy("answered feedback on this")),
    "feedback.link_made": _fixed(gettext_lazy("made a link for feedback from people outside")),
    "feedback.link_revoked": _fixed(gettext_lazy("revoked a link for feedback")),
    "lesson.chosen": _fixed(gettext_lazy("judged a correction as an example")),
}
