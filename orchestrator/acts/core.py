"""One mechanism for every steering act: say what it would do, then do exactly that, or refuse.

An act works out a `Plan` from the rows; the preview shows the plan's lines and the perform carries the same plan out,
worked out again under the locks. What a person agreed to is bound by the plan's digest: if what the digest covers has
changed meanwhile, nothing is done and PlanChanged says so.
"""

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Literal

import jsonschema_rs
import orjson
from django.contrib.auth.models import AnonymousUser, Group, User
from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext

from agents.models import Agent
from agents.types import Json
from orchestrator import events, forms, ports, teams
from orchestrator.acts.refusals import ActImpossible, ActUnknown, AnswerInvalid, OwnRequest, PlanChanged, TargetUnknown
from orchestrator.engine import transitions
from orchestrator.errors import ReasonMissing
from orchestrator.models import TASK_BITS, Run, Task, Workflow

type Scope = Literal["task", "run", "workflow", "agent", "team", "everything"]
type Row = Task | Run | Workflow | Agent | Group
type Words = str | Promise
type Person = User | AnonymousUser

_NUL: Final = re.compile(
    rb"(?<!\\)(?:\\\\)*\\u0000"
)  # as JSON writes it; a backslash that is written itself is doubled
LARGEST: Final = 2**53 - 1  # number that JSON carries safely, and that the database can compare with its own
NAMED: Final = forms.NAMED
SCOPES: Final[tuple[Scope, ...]] = ("task", "run", "workflow", "agent", "team", "everything")


@dataclass(frozen=True, slots=True)
class Target:
    """What an act is done to: a row, or everything."""

    scope: Scope
    row: Row | None = None

    @property
    def ref(self) -> int | None:
        """The row's id; None for everything."""
        return None if self.row is None else self.row.pk

    @property
    def address(self) -> str:
        """How addresses name it: an id, or the name of a workflow or agent; "all" for everything."""
        match self.row:
            case None:
                return "all"
            case Workflow() | Agent():
                return self.row.name
        return str(self.row.pk)

    @property
    def task(self) -> Task:
        """The task, of an act on a step."""
        assert isinstance(self.row, Task)
        return self.row

    @property
    def run(self) -> Run:
        """The run, of an act on a run or on one of its steps."""
        if isinstance(self.row, Task):
            return self.row.run
        assert isinstance(self.row, Run)
        return self.row

    @property
    def run_id(self) -> int | None:
        """The run whose story the act belongs to, if it is one run's."""
        match self.row:
            case Run():
                return self.row.pk
            case Task():
                return self.row.pk >> TASK_BITS
        return None


@dataclass(frozen=True, slots=True)
class Plan:
    """What an act will do. `bound` is what a person agrees to: every fact whose change makes it another act.

    Keep counts that move by the second out of `bound` where the act means "whatever there is by then" (a stop), and put
    them in where the act means "exactly these" (a rerun of named steps). `work` is for `apply` alone.
    """

    lines: tuple[str, ...]
    bound: Mapping[str, Json]
    work: Any = None
    warnings: tuple[str, ...] = ()  # what it will not do, or cannot promise


@dataclass(frozen=True, slots=True)
class Undo:
    """The act that takes this one back, and what to answer in its form."""

    name: str
    answers: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Preview:
    """A plan as people and programs see it; `digest` binds a perform to it."""

    plan: Plan
    digest: str


@dataclass(frozen=True, slots=True)
class Done:
    """What an act has done. `data` are facts for programs: ids of rows that it made."""

    target: Target
    words: str
    undo: Undo | None = None
    data: Mapping[str, Json] = field(default_factory=dict)

    @property
    def stop(self) -> int:
        """The stop that it set."""
        made = self.data["stop"]
        assert isinstance(made, int)
        return made


class Act(ABC):
    """One way to steer. Subclasses say what, to what, by which right; `register()` makes pages and the API offer it."""

    name: ClassVar[str]  # in addresses: "pause"
    scopes: ClassVar[tuple[Scope, ...]]
    icon: ClassVar[str]
    rank: ClassVar[int] = 50  # in menus, the lowest first; the first two are buttons
    is_grave: ClassVar[bool] = False  # red: something is lost or cannot be undone
    title: ClassVar[Words]  # "Pause this run"
    action: ClassVar[Words]  # on the button that does it: "Pause run"
    menu: ClassVar[Words]  # in a menu: "Pause…"
    hint: ClassVar[Words] = ""  # one sentence below the dialog's title
    about: ClassVar[Words] = ""  # what it is done to, where that is not its target
    home: ClassVar[str] = ""  # name of the page that it belongs to, where that is not its target's
    needs_fresh: ClassVar[bool] = False  # whoever does it in a browser has proved lately who they are

    def permits(self, user: Person, target: Target) -> bool:
        """Whether the user may do it: by default `steer_run` on the workflow."""
        return ports.rights().can(user, "steer_run", target.row)

    def why_not(self, target: Target) -> str:
        """Why it makes no sense now, from the row alone; empty if it does. What menus leave out."""
        return ""

    def is_offered(self, target: Target) -> bool:
        """Whether menus show it now."""
        return not self.why_not(target)

    def schema(self, target: Target) -> Mapping[str, Any]:
        """JSON Schema of what it asks for besides the reason: the form, and the check, of browser and API alike."""
        return {}

    def answers(self, target: Target) -> Mapping[str, Json]:
        """What the form holds at first."""
        return {}

    @abstractmethod
    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """What it would do now. Reads only. Raises an OrchestratorError that says why it cannot."""

    @abstractmethod
    def apply(self, act: "Performing") -> Mapping[str, Json] | None:
        """Carry `act.plan` out and append the event, after `lock`, in one transaction; return facts for programs."""

    def lock(self, target: Target) -> Target:
        """Take the locks (run, then task) and read the rows again."""
        if target.run_id is None:
            return target
        run = transitions.lock_run(target.run_id)
        if target.scope == "run":
            return Target("run", run)
        task = Task.objects.select_for_update(no_key=True).get(pk=target.task.pk)
        task.run = run
        return Target("task", task)

    @abstractmethod
    def done(self, target: Target) -> str:
        """What happened, in one sentence."""

    def undo(self, target: Target, plan: Plan) -> Undo | None:
        """The act that takes this one back, where there is one."""
        return None


@dataclass(frozen=True, slots=True)
class Performing:
    """An act being carried out: everything `Act.apply` may use."""

    target: Target
    answers: Mapping[str, Json]
    plan: Plan
    by: User | None
    reason: str

    @property
    def actor(self) -> str:
        """As events name who acted."""
        return f"user:{self.by.get_username()}" if self.by is not None else "engine"

    def refuse_own(self, *, verb: str, why: str) -> None:
        """Raise OwnRequest if whoever acts has started the run."""
        if self.by is not None and self.target.run.started_by_id == self.by.pk:
            raise OwnRequest(verb=verb, why=why)

    def record(self, kind: str, **facts: Json) -> int:
        """Append the act's event with its reason."""
        task = self.target.ref if self.target.scope == "task" else None
        data = {"reason": self.reason, **facts}
        return events.append(kind, actor=self.actor, run_id=self.target.run_id, task_id=task, data=data)


_ACTS: dict[tuple[Scope, str], Act] = {}


def register(act: Act) -> Act:
    """Offer an act wherever things of its scopes are steered."""
    for scope in act.scopes:
        _ACTS[scope, act.name] = act
    return act


def find(scope: str, name: str) -> Act:
    """The act by its name. Raises ActUnknown."""
    found = next((act for (at, called), act in _ACTS.items() if (at, called) == (scope, name)), None)
    if found is None:
        raise ActUnknown(name=name, scope=scope)
    return found


def acts_for(scope: Scope) -> Iterator[Act]:
    """Every act on things of this scope, in the order of menus."""
    return iter(sorted((act for (at, _name), act in _ACTS.items() if at == scope), key=lambda act: act.rank))


def possible(user: Person, target: Target) -> list[Act]:
    """What this user may do to this now: what menus offer."""
    found = [act for act in acts_for(target.scope) if act.permits(user, target)]
    return [act for act in found if act.is_offered(target)]


def of(scope: str, ref: int | None) -> Target:
    """The thing with this id. Raises TargetUnknown."""
    row: Row | None = None
    match scope:
        case "everything" if ref is None:
            return Target("everything")
        case "run":
            row = Run.objects.select_related("workflow", "started_by").filter(pk=ref or 0).first()
        case "task":
            row = Task.objects.select_related("run__workflow").filter(pk=ref or 0).first()
        case "workflow":
            row = Workflow.objects.filter(pk=ref or 0).first()
        case "agent":
            row = Agent.objects.filter(pk=ref or 0).first()
        case "team":
            row = Group.objects.filter(pk=ref or 0).first()
    if row is None:
        raise TargetUnknown(scope=scope, ref=ref)
    return Target(scope, row)  # type: ignore[arg-type]  # every other scope has found no row


def locate(scope: str, address: str) -> Target:
    """What an address names: an id, the name of a workflow or agent, or "all". Raises TargetUnknown."""
    ref: int | None = None
    match scope:
        case "everything" if address == "all":
            return Target("everything")
        case "workflow":
            ref = Workflow.objects.filter(name=address).values_list("pk", flat=True).first()
        case "agent":
            ref = Agent.objects.filter(name=address).values_list("pk", flat=True).first()
        case "run" | "task" | "team" if address.isdecimal() and len(address) < 19:
            ref = int(address)
    if ref is None:
        raise TargetUnknown(scope=scope, ref=address)
    return of(scope, ref)


def is_visible(user: Person, target: Target) -> bool:
    """Whether the target exists for this user at all."""
    rights = ports.rights()
    match target.scope:
        case "everything":
            return True
        case "agent":
            return rights.can(user, "see_agents")
        case "team":
            return isinstance(target.row, Group) and teams.is_visible(user, target.row)
    return any(rights.can(user, verb, target.row) for verb in ("see_runs", "steer_run"))


def preview(act: Act, target: Target, answers: Mapping[str, Json]) -> Preview:
    """What the act would do now. Raises what `perform` would."""
    return _plan(act, target, answers)


def perform(
    act: Act,
    target: Target,
    *,
    by: User | None,
    reason: str,
    answers: Mapping[str, Json] | None = None,
    digest: str = "",
) -> Done:
    """Do it, all or nothing: lock, work the plan out again, compare it with what was agreed to, carry it out.

    Raises ReasonMissing, PlanChanged when `digest` is given and no longer fits, and whatever the act refuses with.
    Rights are the caller's to check (`act.permits`): the engine itself steers too.
    """
    if not reason.strip():
        raise ReasonMissing(verb=str(act.title).lower())
    given = answers or {}
    with transaction.atomic():
        locked = act.lock(target)
        now = _plan(act, locked, given)
        if digest and digest != now.digest:
            raise PlanChanged
        data = act.apply(Performing(locked, given, now.plan, by, reason.strip())) or {}
        return Done(locked, str(data.get("words") or act.done(locked)), act.undo(locked, now.plan), data)


def _plan(act: Act, target: Target, answers: Mapping[str, Json]) -> Preview:
    if why := act.why_not(target):
        raise ActImpossible(why=why)
    _check(act.schema(target), answers)
    plan = act.plan(target, answers)
    return Preview(plan, _digest(act, target, answers, plan))


def _check(schema: Mapping[str, Any], answers: Mapping[str, Json]) -> None:
    try:
        written = orjson.dumps(dict(answers))
    except (TypeError, ValueError, RecursionError) as flaw:  # 10**30, half a character, a thousand levels
        raise AnswerInvalid(field="The form", problem=f"it cannot be stored as it is ({flaw})") from flaw
    if _NUL.search(written):
        raise AnswerInvalid(field="The form", problem="it holds a NUL character, which cannot be stored")
    closed = {"type": "object", "additionalProperties": False, "properties": {}, **schema}
    error = next(jsonschema_rs.validator_for(closed).iter_errors(dict(answers)), None)
    if error is not None:
        raise AnswerInvalid(field=".".join(map(str, error.instance_path)) or "The form", problem=error.message)
    for name, asked in closed["properties"].items():
        value = answers.get(name)
        if asked.get("type") == "integer" and value is not None:
            if not isinstance(value, int):  # to JSON Schema, 7.0 is one
                raise AnswerInvalid(field=name, problem=gettext("it must be written without a decimal point"))
            if abs(value) > LARGEST:
                raise AnswerInvalid(
                    field=name, problem=gettext("its size is at most %(largest)s") % {"largest": f"{LARGEST:,}"}
                )


def _digest(act: Act, target: Target, answers: Mapping[str, Json], plan: Plan) -> str:
    agreed = [act.name, target.scope, target.ref, dict(answers), dict(plan.bound)]
    return hashlib.sha256(orjson.dumps(agreed, option=orjson.OPT_SORT_KEYS)).hexdigest()


def counted(count: int, one: str, many: str) -> tuple[str, ...]:
    """A line with its number, or nothing for none."""
    return (ngettext(one, many, count) % {"count": f"{count:,}"},) if count else ()
