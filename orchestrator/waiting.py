"""What is this run waiting for? One sentence for every run, from facts alone. Pure: no database.

The sentence comes in parts, so that a page can link a gate and keep a time fresh; `str()` joins them for the API.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from orchestrator.ports import GateFact
from orchestrator.states import RunStatus

NAMED: Final = 2  # steps or queues named in a sentence before the rest are counted
GLANCE: Final = 240  # characters of an error that a sentence repeats; its step's card has all of it


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a sentence: words, a gate or run to link to, or a moment (`at`) shown relative to now."""

    text: str
    gate: int | None = None
    run: int | None = None
    at: datetime | None = None
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence and its tone (running, waiting, good, failed, stopped)."""

    tone: str
    parts: tuple[Part, ...]

    def __str__(self) -> str:
        return "".join(part.text for part in self.parts)


@dataclass(frozen=True, slots=True)
class Awaited:
    """What one task waits for outside the engine: a time, a signal by name and key, a call back, or a run."""

    kind: str  # timer | event | callback | run
    step: str
    until: datetime | None = None  # when a timer fires, or a deadline passes
    name: str = ""
    key: str = ""
    run: int | None = None
    workflow: str = ""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Everything the sentence is made of. Counts are of tasks; names are the steps' titles."""

    status: str
    total: int
    remaining: int
    failed: int = 0
    error: str = ""
    error_step: str = ""
    stops: tuple[tuple[str, bool], ...] = ()  # who holds what, "everything by Ana", and whether it is a mere pause
    pause: tuple[str, str] | None = None  # of a paused run: by whom, and why
    gates: Sequence[GateFact] = ()
    running: Sequence[str] = ()
    running_count: int = 0
    ready_count: int = 0
    nobody_in: Sequence[str] = ()  # pools that ready steps are for and that have no worker
    limited: Sequence[str] = ()  # ready, and their agents are at a limit of their own
    retry_at: datetime | None = None
    retry_step: str = ""
    quarantined: Sequence[str] = field(default=())
    outside: Sequence[Awaited] = ()  # what its tasks wait for outside, the soonest first
    outside_count: int = 0
    unfunded: Sequence[str] = ()  # wait for a budget
    unassigned: Sequence[str] = ()  # wait for an agent to come back
    held_back: Sequence[str] = ()  # they wait for an agent that is out of service
    service_at: datetime | None = None  # when that agent is tried again


def waiting_sentence(facts: RunFacts) -> Sentence:
    """The one sentence. People first, then stops, then work, then what keeps ready work from starting."""
    ended = _ended(facts)
    if ended is not None:
        return ended
    explainers = (
        _queued,
        _paused,
        _people,
        _undoing,
        _out_of_service,
        _stopped,
        _working,
        _outside,
        _retrying,
        _lacking,
        _held_up,
    )
    waiting = (_people, _outside, _queued, _undoing, _out_of_service)
    for explain in explainers:
        if parts := explain(facts):
            tones = dict.fromkeys(waiting, "waiting") | dict.fromkeys((_paused, _stopped), "stopped")
            return Sentence(tones.get(explain, "running"), (*parts, *_meanwhile(facts, explain is _people)))
    return Sentence("running", (Part(_("Moving on: the next steps are being made ready.")),))


def _ended(facts: RunFacts) -> Sentence | None:
    match facts.status:
        case RunStatus.SUCCEEDED if facts.failed:
            text = ngettext(
                "Succeeded; %(count)d step failed and the run went on without it, as its workflow says.",
                "Succeeded; %(count)d steps failed and the run went on without them, as its workflow says.",
                facts.failed,
            )
            return Sentence("good", (Part(text % {"count": facts.failed}),))
        case RunStatus.SUCCEEDED:
            return Sentence("good", (Part(_("Succeeded; nothing is left to do.")),))
        case RunStatus.PARTIAL:
            return Sentence("waiting", tuple(_partly(facts)))
        case RunStatus.CANCELLED:
            return Sentence("stopped", (Part(_("Cancelled; nothing more will happen.")),))
        case RunStatus.FAILED:
            return Sentence("failed", tuple(_failure(facts)))
    return None


def _partly(facts: RunFacts) -> list[Part]:
    text = ngettext(
        "Partly done: %(count)d step that the result needs gave no output.",
        "Partly done: %(count)d steps that the result needs gave no output.",
        facts.failed,
    )
    return [Part(text % {"count": facts.failed})]


def _failure(facts: RunFacts) -> list[Part]:
    if not facts.error_step:
        return [Part(_("Failed: ")), Part(facts.error or _("no reason was recorded")), Part(".")]
    reason = _whole(facts.error) or _("no reason was recorded.")
    return [Part(_("Failed at ")), Part(facts.error_step, strong=True), Part(f": {reason}")]


def _whole(message: str) -> str:
    """An agent's message as the end of a sentence: cut where it is too long to be read at a glance."""
    message = message.strip()
    if len(message) > GLANCE:
        message = message[:GLANCE].rsplit(" ", 1)[0].rstrip(" .,;:") + "…"
    return message if not message or message.endswith(("…", "...", ".", "!", "?")) else f"{message}."


def _queued(facts: RunFacts) -> list[Part]:
    if facts.status != RunStatus.PENDING:
        return []
    return [Part(_("Queued: its workflow runs as much as it may; this starts by itself when there is room."))]


def _undoing(facts: RunFacts) -> list[Part]:
    if facts.status != RunStatus.COMPENSATING:
        return []
    text = ngettext(
        "Undoing what was done: %(count)d step is left.", "Undoing what was done: %(count)d steps are left.",
        facts.remaining,
    )  # fmt: skip
    reason = Part(f" ({facts.error.rstrip('.')})") if facts.error else Part("")
    return [Part(text % {"count": facts.remaining}), reason]


def _out_of_service(facts: RunFacts) -> list[Part]:
    if not facts.held_back or facts.running_count:
        return []
    parts = [*_names(facts.held_back), Part(_(" waits for an agent that is out of service after failures in a row"))]
    if facts.service_at is not None:
        parts += [Part(_("; it is tried again ")), Part(facts.service_at.strftime("%H:%M:%S UTC"), at=facts.service_at)]
    return [*parts, Part(".")]


def _paused(facts: RunFacts) -> list[Part]:
    if facts.status != RunStatus.PAUSED:
        return []
    if facts.running_count:
        text = ngettext(
            "Paused: nothing new starts; %(count)d step that was running may finish.",
            "Paused: nothing new starts; %(count)d steps that were running may finish.",
            facts.running_count,
        )
        return [Part(text % {"count": facts.running_count}), *_paused_by(facts)]
    return [Part(_("Paused: nothing starts until somebody resumes it.")), *_paused_by(facts)]


def _paused_by(facts: RunFacts) -> list[Part]:
    if facts.pause is None:
        return []
    by, why = facts.pause
    return [Part(_(" By ")), Part(by, strong=True), Part(f": “{why}”" if why else ".")]


def _people(facts: RunFacts) -> list[Part]:
    gates = [gate for gate in facts.gates if gate.task_id is not None]  # the run does not wait for the others
    if not gates:
        return (
            [Part(_("Waiting for operations to look at ")), *_names(facts.quarantined), Part(".")]
            if facts.quarantined
            else []
        )
    gates.sort(key=lambda gate: gate.releases_at is not None)  # what people still have to decide comes first
    first = gates[0]
    if first.releases_at is not None:
        return _going_out(first)
    verb = _(" to do ") if first.kind in ("manual", "hybrid") else _(" to decide ")
    parts = [
        Part(_("Waiting for ")),
        Part(first.queue, strong=True),
        Part(verb),
        Part(f"“{first.title}”", gate=first.id),
    ]
    consequence = _("; rejected ") if first.on_timeout == "reject" else _("; escalates ")
    parts += [Part(consequence), Part(first.deadline_at.strftime("%H:%M UTC"), at=first.deadline_at)]
    if more := len(gates) - 1:
        text = ngettext(" (and %(count)d more decision)", " (and %(count)d more decisions)", more)
        parts.append(Part(text % {"count": more}))
    return [*parts, Part(".")]


def _going_out(gate: GateFact) -> list[Part]:
    moment = Part(gate.releases_at.strftime("%H:%M:%S UTC") if gate.releases_at else "", at=gate.releases_at)
    return [
        Part(f"“{gate.title}”", gate=gate.id),
        Part(_(" is approved; it goes out ")),
        moment,
        Part(_(" unless somebody takes it back.")),
    ]


def _stopped(facts: RunFacts) -> list[Part]:
    if not facts.stops:
        return []
    words, is_pause = facts.stops[0]
    text = (
        _("Paused: nothing starts until somebody resumes ")
        if is_pause
        else _("Stopped: nothing starts until somebody lifts the stop of ")
    )
    return [Part(text), Part(words, strong=True), Part(".")]


def _working(facts: RunFacts) -> list[Part]:
    if not facts.running_count:
        return []
    rest = facts.running_count - min(NAMED, len(facts.running))
    parts = [Part(_("Working on ")), *_names(facts.running)]
    if rest > 0:
        parts.append(Part(_(" and %(count)d more") % {"count": rest}))
    return [*parts, Part(".")]


def _outside(facts: RunFacts) -> list[Part]:
    if not facts.outside or facts.ready_count:
        return []
    parts = [Part(facts.outside[0].step, strong=True), Part(" "), *awaited_parts(facts.outside[0])]
    if (more := facts.outside_count - 1) > 0:
        text = ngettext(" (and %(count)d more step waits)", " (and %(count)d more steps wait)", more)
        parts.append(Part(text % {"count": more}))
    return [*parts, Part(".")]


def awaited_parts(wait: Awaited) -> list[Part]:
    """What a step waits for, as the rest of a sentence that begins with the step."""
    moment = Part(wait.until.strftime("%d %b %Y %H:%M UTC"), at=wait.until) if wait.until else None
    match wait.kind:
        case "timer":
            return [Part(_("waits and goes on ")), moment] if moment else [Part(_("waits for its time"))]
        case "event":
            parts = [Part(_("waits for the signal ")), Part(wait.name, strong=True)]
            parts += [Part(_(" with the key ")), Part(f"“{wait.key}”")] if wait.key else []
        case "callback":
            parts = [Part(_("waits for a call back"))]
        case "message":
            parts = [Part(_("waits for a message"))]
        case "answer":
            parts = [Part(_("waits for an answer from outside"))]
        case _:
            parts = [Part(_("waits for "))]
            parts.append(
                Part(
                    _("run #%(run)d of %(workflow)s") % {"run": wait.run or 0, "workflow": wait.workflow}, run=wait.run
                )
            )
    return [*parts, Part(_("; its deadline is ")), moment] if moment else parts


def _retrying(facts: RunFacts) -> list[Part]:
    if facts.retry_at is None:
        return []
    named = Part(facts.retry_step or _("a step"), strong=True)
    moment = Part(facts.retry_at.strftime("%H:%M:%S UTC"), at=facts.retry_at)
    return [
        Part(_("Waiting to try ")),
        named,
        Part(_(" again ")),
        moment,
        Part(_(" after it failed.") if facts.retry_step else "."),
    ]


def _lacking(facts: RunFacts) -> list[Part]:
    if facts.unfunded:
        words = ngettext(" waits for a budget.", " wait for a budget.", len(facts.unfunded))
        return [*_names(facts.unfunded), Part(words)]
    if facts.unassigned:
        words = ngettext(
            " waits for an agent: all that could do it are out of service.",
            " wait for agents: all that could do them are out of service.",
            len(facts.unassigned),
        )
        return [*_names(facts.unassigned), Part(words)]
    return []


def _held_up(facts: RunFacts) -> list[Part]:
    if facts.limited:
        return [*_names(facts.limited), Part(_limit(len(facts.limited)))]
    if facts.nobody_in:
        pool = facts.nobody_in[0]
        text = _("Ready, but no worker of the pool %(pool)s is there; start one with POOL=%(pool)s.")
        return [Part(text % {"pool": pool})]
    if facts.ready_count:
        text = ngettext(
            "%(count)d step is ready and waits for a free worker.",
            "%(count)d steps are ready and wait for a free worker.",
            facts.ready_count,
        )
        return [Part(text % {"count": facts.ready_count})]
    if facts.remaining < facts.total:
        done = facts.total - facts.remaining
        return [Part(_("In progress: %(done)d of %(total)d steps have ended.") % {"done": done, "total": facts.total})]
    return []


def _limit(count: int) -> str:
    return ngettext(
        " is ready and waits for its agent, which takes only so many calls at a time.",
        " are ready and wait for their agents, which take only so many calls at a time.",
        count,
    )


def _meanwhile(facts: RunFacts, waits_for_people: bool) -> list[Part]:
    """What else goes on while people are awaited."""
    if not waits_for_people:
        return []
    if facts.stops:
        words, is_pause = facts.stops[0]
        end = _(" is paused.") if is_pause else _(" is stopped.")
        return [Part(_(" It would not go on yet: ")), Part(words, strong=True), Part(end)]
    if facts.running_count:
        rest = facts.running_count - min(NAMED, len(facts.running))
        more = [Part(_(" and %(count)d more") % {"count": rest})] if rest > 0 else []
        return [
            Part(_(" Meanwhile ")),
            *_names(facts.running),
            *more,
            Part(ngettext(" goes on.", " go on.", facts.running_count)),
        ]
    return []


def _names(names: Sequence[str]) -> list[Part]:
    parts: list[Part] = []
    for position, name in enumerate(names[:NAMED]):
        parts += [Part(_(" and ") if position else ""), Part(name, strong=True)]
    return parts
