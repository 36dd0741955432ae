"""Which version of an agent works: begin and end a canary, promote a version, and go back to the one before."""

from collections.abc import Mapping
from typing import Any, Final

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.evaluation import evidence
from agents.lifecycle import routes
from agents.models import Agent, AgentRelease, AgentVersion
from agents.types import Json
from orchestrator import ports, version_fit
from orchestrator.acts.core import Act, Performing, Person, Plan, Target, Undo, register
from orchestrator.acts.refusals import ActImpossible
from orchestrator.errors import OrchestratorError

MOST_SHARE: Final = 50
SHOWN: Final = 50  # versions to choose from
NAMED: Final = 5  # workflows in one sentence
OWNERSHIP: Final = "owner"  # in a release's `hands`: who has changed the owner since the last promotion


class OwnVersion(OrchestratorError):
    """You {did} version {version}, so somebody else must promote it: whoever changes an agent does not approve that."""

    code = "separation_of_duties"
    status = 403


class AgentAct(Act):
    """What acts on an agent's release and description have in common."""

    scopes = ("agent",)

    def permits(self, user: Person, target: Target) -> bool:
        """`edit_agents`: its work belongs to every workflow that uses it."""
        return ports.rights().can(user, "edit_agents")

    def lock(self, target: Target) -> Target:
        """The agent's row: of two at once, the second sees what the first has done."""
        return Target("agent", Agent.objects.select_for_update(no_key=True).get(pk=agent_id(target)))


class BeginCanary(AgentAct):
    """Let another version do a share of the tasks; if it does worse than the current one, it is taken out."""

    name = "canary"
    icon = "git-branch"
    rank = 60
    title = gettext_lazy("Begin a canary")
    action = gettext_lazy("Begin canary")
    menu = gettext_lazy("Canary…")
    hint = gettext_lazy(
        "Which tasks are its is decided by a hash of their ids; it is rolled back as soon as it does worse."
    )

    def why_not(self, target: Target) -> str:
        """With one version there is nothing to compare."""
        return "" if len(_numbers(target)) > 1 else _("It has one version only; there is nothing to compare.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which version, and how much of the work."""
        share = {"type": "integer", "minimum": 1, "maximum": MOST_SHARE, "title": _("Share of its tasks, in percent")}
        return {"properties": {"version": _choice(target), "share": share}, "required": ["version", "share"]}

    def answers(self, target: Target) -> Mapping[str, Json]:
        """The newest version, for a tenth of the work."""
        return {"version": str(_numbers(target)[0]), "share": 10}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """Who does which part."""
        release, version, share = release_of(target), int(str(answers["version"])), int(str(answers["share"]))
        current = _beside(target, release, version)
        if version == release.current:
            raise ActImpossible(
                why=_("v%(version)d is the current version; choose another one.") % {"version": version}
            )
        if (release.canary, release.share) == (version, share):
            raise ActImpossible(why=_("v%(version)d has this share already.") % {"version": version})
        _refuse_other_lane(target, version, current)
        _refuse_misfits(target, version, current)
        told = {"version": version, "share": share, "rest": 100 - share, "current": current}
        lines = (
            _("v%(version)d does %(share)d %% of its tasks, v%(current)d the other %(rest)d %%.") % told,
            _("Both are compared all the while; if v%(version)d does worse, v%(current)d does everything again.")
            % told,
        )
        bound: dict[str, Json] = {"canary": release.canary, "share": release.share, "current": release.current}
        return Plan(lines, bound, current, tuple(_lacks(target, version)))

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """The clock of the comparison starts now."""
        release, version, share = (
            release_of(act.target),
            int(str(act.answers["version"])),
            int(str(act.answers["share"])),
        )
        before: dict[str, Json] = {"canary": release.canary, "share": release.share}
        if release.canary != version:
            release.canary_since, release.comparison = timezone.now(), {}
        release.current, release.canary, release.share = act.plan.work, version, share
        if act.by is not None:
            hands = release.hands.setdefault(str(version), [])
            hands.extend({act.by.get_username()} - set(hands))
        _save(release)
        facts: dict[str, Json] = {"version": version, "share": share, "current": release.current, "was": before}
        act.record("agent.canary_started", agent=act.target.address, **facts)
        return {}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("%(agent)s has a canary.") % {"agent": target.row}

    def undo(self, target: Target, plan: Plan) -> Undo | None:
        """As it was: the canary before, or none."""
        if plan.bound["canary"] is not None:
            return Undo(self.name, {"version": str(plan.bound["canary"]), "share": plan.bound["share"]})
        return Undo("end-canary")


class EndCanary(AgentAct):
    """The current version does everything again."""

    name = "end-canary"
    icon = "undo-2"
    rank = 61
    title = gettext_lazy("End the canary")
    action = gettext_lazy("End canary")
    menu = gettext_lazy("End canary…")

    def why_not(self, target: Target) -> str:
        """Only what there is can end."""
        return "" if release_of(target).canary else _("It has no canary; there is nothing to end.")

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """Who goes on."""
        release = release_of(target)
        told = {"version": release.canary, "current": release.current}
        lines = (
            _("v%(current)d does everything from the next task on.") % told,
            _("What v%(version)d works on now it may finish.") % told,
        )
        return Plan(lines, {"canary": release.canary, "share": release.share})

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """The comparison so far stays in the event."""
        release = release_of(act.target)
        facts: dict[str, Json] = {"version": release.canary, "current": release.current, "compared": release.comparison}
        _without_canary(release)
        _save(release)
        act.record("agent.canary_ended", agent=act.target.address, **facts)
        return {}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("%(agent)s has no canary any more.") % {"agent": target.row}

    def undo(self, target: Target, plan: Plan) -> Undo | None:
        """The same canary again; the comparison starts anew."""
        return Undo("canary", {"version": str(plan.bound["canary"]), "share": plan.bound["share"]})


class Promote(AgentAct):
    """Let a version do all the work, once evaluations newer than it have passed."""

    name = "promote"
    icon = "circle-check"
    rank = 62
    title = gettext_lazy("Promote a version")
    action = gettext_lazy("Promote version")
    menu = gettext_lazy("Promote…")
    hint = gettext_lazy("Needs a functional and a safety evaluation of the version, newer than it and passed.")

    def permits(self, user: Person, target: Target) -> bool:
        """`edit_quality` too: those who judge quality may approve what others have changed."""
        return super().permits(user, target) or ports.rights().can(user, "edit_quality")

    def why_not(self, target: Target) -> str:
        """Without a version there is nothing to promote."""
        return "" if _numbers(target) else _("It has no version; there is nothing to promote.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which version."""
        return {"properties": {"version": _choice(target)}, "required": ["version"]}

    def answers(self, target: Target) -> Mapping[str, Json]:
        """The canary, or the newest."""
        return {"version": str(release_of(target).canary or _numbers(target)[0])}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """From which version to which, on what evidence."""
        release, version = release_of(target), int(str(answers["version"]))
        if version == release.current:
            raise ActImpossible(why=_("v%(version)d is the current version already.") % {"version": version})
        if lacks := _lacks(target, version):
            raise ActImpossible(why=" ".join(lacks))
        before = routes.in_force(target.address)
        _refuse_other_lane(target, version, before or version)
        _refuse_misfits(target, version, before or version)
        found = [evidence.latest(_subject(target, version), kind) for kind in evidence.REQUIRED]
        lines = [_("v%(version)d does all of its tasks from the next one on.") % {"version": version}]
        if before not in (None, version):
            lines.append(_("Until now v%(version)d does them.") % {"version": before})
        lines += [_("Evaluation %(n)d (%(suite)s) passed.") % {"n": e.evaluation, "suite": e.suite} for e in found if e]
        if release.canary not in (None, version):
            lines.append(_("The canary v%(version)d ends.") % {"version": release.canary})
        evaluations: list[Json] = [one.evaluation for one in found if one]
        bound: dict[str, Json] = {"current": release.current, "canary": release.canary, "evidence": evaluations}
        return Plan(tuple(lines), bound, before)

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Refused to whoever began its canary, or owns the agent."""
        release, version = release_of(act.target), int(str(act.answers["version"]))
        _refuse_own(act, release, version)
        release.previous, release.current = act.plan.work, version
        release.hands.pop(OWNERSHIP, None)
        _without_canary(release)
        _save(release)
        facts: dict[str, Json] = {"version": version, "was": release.previous, "evidence": act.plan.bound["evidence"]}
        act.record("agent.promoted", agent=act.target.address, **facts)
        return {}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("%(agent)s works with another version.") % {"agent": target.row}

    def undo(self, target: Target, plan: Plan) -> Undo | None:
        """Back to the one before."""
        return Undo("revert")


class Revert(AgentAct):
    """Back to the version that was in force before: it needs no new evidence, it has done this work."""

    name = "revert"
    icon = "undo-2"
    rank = 63
    title = gettext_lazy("Go back to the version before")
    action = gettext_lazy("Go back")
    menu = gettext_lazy("Version before…")

    def why_not(self, target: Target) -> str:
        """Only where something was promoted."""
        release = release_of(target)
        known = release.previous is not None and release.previous != release.current
        return "" if known else _("No version was in force before; there is nothing to go back to.")

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """From which to which."""
        release = release_of(target)
        told = {"version": release.previous, "current": release.current}
        lines = [_("v%(version)d does all of its tasks from the next one on, v%(current)d none.") % told]
        if release.canary is not None:
            lines.append(_("The canary v%(version)d ends.") % {"version": release.canary})
        bound: dict[str, Json] = {"current": release.current, "previous": release.previous, "canary": release.canary}
        return Plan(tuple(lines), bound)

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """What was current is not gone back to in turn: it is promoted again."""
        release = release_of(act.target)
        was, release.current, release.previous = release.current, release.previous, None
        _without_canary(release)
        _save(release)
        act.record("agent.reverted", agent=act.target.address, version=release.current, was=was)
        return {}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("%(agent)s works with the version before.") % {"agent": target.row}

    def undo(self, target: Target, plan: Plan) -> Undo | None:
        """A promotion, with all that it needs."""
        return Undo("promote", {"version": str(plan.bound["current"])})


def agent_id(target: Target) -> int:
    """The agent's id."""
    assert isinstance(target.row, Agent)
    return target.row.pk


def release_of(target: Target) -> AgentRelease:
    """The agent's release; one that is not saved yet where nobody has promoted anything."""
    assert isinstance(target.row, Agent)
    return AgentRelease.objects.filter(agent=target.row).first() or AgentRelease(agent=target.row)


def _numbers(target: Target) -> list[int]:
    rows = AgentVersion.objects.filter(agent_id=target.ref or 0).order_by("-number")
    return list(rows.values_list("number", flat=True)[:SHOWN])


def _choice(target: Target) -> dict[str, Any]:
    return {"type": "string", "enum": [str(number) for number in _numbers(target)], "title": _("Version")}


def _beside(target: Target, release: AgentRelease, canary: int) -> int:
    """Who does the rest: the current version, or where nobody has promoted any, the newest of the others."""
    if release.current is not None:
        return release.current
    return next(number for number in _numbers(target) if number != canary)


def _refuse_other_lane(target: Target, version: int, current: int) -> None:
    """Tasks stand in the lane of the isolation that their agent had when they were made."""
    rows = AgentVersion.objects.filter(agent_id=target.ref or 0, number__in=(version, current))
    if len(set(rows.values_list("isolation", flat=True))) > 1:
        told = {"version": version, "current": current}
        why = (
            _("v%(version)d runs in another isolation than v%(current)d; publish the workflows with it instead.") % told
        )
        raise ActImpossible(why=why)


def _refuse_misfits(target: Target, version: int, current: int) -> None:
    """A definition is checked when it is published; another version must not break what that check has promised."""
    found = version_fit.misfits(target.address, now=current, new=version)
    if not found:
        return
    named = ", ".join(one.workflow for one in found[:NAMED]) + (" …" if len(found) > NAMED else "")
    why = _(
        "v%(version)d does not fit %(workflows)s (%(first)s, step %(step)s: %(why)s); publish what fits it first, or "
        "pin the version there."
    )
    told = {"version": version, "workflows": named, "first": found[0].workflow, "step": found[0].step}
    raise ActImpossible(why=why % {**told, "why": found[0].why})


def _subject(target: Target, version: int) -> str:
    return f"agent:{target.address}@{version}"


def _lacks(target: Target, version: int) -> list[str]:
    row = AgentVersion.objects.filter(agent_id=target.ref or 0, number=version).first()
    return evidence.missing(_subject(target, version), newer_than=row.created_at) if row else []


def note_new_owner(act: Performing) -> None:
    """Whoever changes the owner does not promote next: else an owner would only have to name another one first."""
    if act.by is None:
        return
    release = release_of(act.target)
    release.hands[OWNERSHIP] = sorted({*release.hands.get(OWNERSHIP, ()), act.by.get_username()})
    _save(release)


def _refuse_own(act: Performing, release: AgentRelease, version: int) -> None:
    who = act.by.get_username() if act.by else ""
    assert isinstance(act.target.row, Agent)
    if who and who in release.hands.get(str(version), ()):
        raise OwnVersion(did="began or changed the canary of", version=version)
    if who and who in release.hands.get(OWNERSHIP, ()):
        raise OwnVersion(did="changed the owner of the agent of", version=version)
    if who and who == act.target.row.owner:
        raise OwnVersion(did="own the agent of", version=version)


def _without_canary(release: AgentRelease) -> None:
    release.canary, release.share, release.canary_since = None, 0, None
    release.comparison = {}


def _save(release: AgentRelease) -> None:
    release.changed_at = timezone.now()
    release.save()


for _act in (BeginCanary(), EndCanary(), Promote(), Revert()):
    register(_act)
