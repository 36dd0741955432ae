"""Acts on policies, entitlements and tools: propose, approve, take away, give back, limit, put back into service.

Who wrote a change may not approve it, unless both the text in force and the new one say that one person is enough.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.errors import PolicyInvalid
from agents.models import Policy, PolicyVersion, Revocation, Tool
from agents.policies import documents, store
from agents.tools import limits
from agents.types import Json
from orchestrator import ports
from orchestrator.acts.core import Act, Performing, Person, Plan, Scope, Target, Undo, counted, register
from orchestrator.acts.refusals import ActImpossible
from orchestrator.errors import OrchestratorError

_NAME: Final = {"type": "string", "minLength": 1, "maxLength": 100}


class PolicyRefused(OrchestratorError):
    """The policy is refused: {problems}; correct its text and send it again."""

    code = "policy_invalid"
    status = 422


class OwnChange(OrchestratorError):
    """You wrote this change of the policy; somebody else who may edit policies has to approve it."""

    code = "separation_of_duties"
    status = 403


class _PolicyAct(Act):
    """What policies have in common: one right, no menu (their pages offer them)."""

    scopes: ClassVar[tuple[Scope, ...]] = ("everything",)
    icon = "shield-check"

    def permits(self, user: Person, target: Target) -> bool:
        """`edit_policies`, everywhere."""
        return ports.rights().can(user, "edit_policies")

    def is_offered(self, target: Target) -> bool:
        """Only on the pages of policies and tools, which fill in what it is about."""
        return False


class ProposePolicy(_PolicyAct):
    """Store a policy's text as its next version."""

    name = "propose-policy"
    title = gettext_lazy("Change a policy")
    action = gettext_lazy("Propose")
    menu = gettext_lazy("Propose a policy…")
    hint = gettext_lazy("Its tests have to pass. It counts once somebody else has approved it.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """The text, and where it was imported from."""
        text = {"type": "string", "minLength": 1, "maxLength": documents.LARGEST, "title": _("The policy, as YAML")}
        commit = {"type": "string", "maxLength": 100, "title": _("Commit it comes from, if any")}
        return {"properties": {"source": text, "commit": commit}, "required": ["source"]}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """What would change, line by line."""
        try:
            found = store.examine(str(answers["source"]))
        except PolicyInvalid as problem:
            raise PolicyRefused(problems=problem.facts["problems"]) from problem
        if not found.diff:
            raise ActImpossible(why=_("It is word for word what is in force."))
        passed = counted(len(found.document.checks), "%(count)s test passes.", "%(count)s tests pass.")
        after = _("Somebody else has to approve it.") if found.needs_second else _("It counts at once.")
        lines = (f"{found.document.name}: {after}", *passed, *found.diff[:60])
        base = found.current.number if found.current else 0
        return Plan(lines, {"base": base, "second": found.needs_second}, found)

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Store it."""
        commit = str(act.answers.get("commit", ""))
        made = store.propose(str(act.answers["source"]), by=act.by, reason=act.reason, commit=commit)
        about: dict[str, Json] = {"policy": made.policy.name, "number": made.number, "digest": made.digest}
        act.record("policy.proposed", commit=commit, **about)
        if made.state == PolicyVersion.State.ACTIVE:
            act.record("policy.activated", **about)
        return {"policy": made.policy.name, "number": made.number, "state": made.state}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The policy is stored.")

    def undo(self, target: Target, plan: Plan) -> Undo | None:
        """The text that was in force, where this one counts at once."""
        found: store.Proposal = plan.work
        if found.current is None or found.needs_second:
            return None
        return Undo(self.name, {"source": found.current.source})


class _OnProposal(_PolicyAct):
    """Answering a proposal."""

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which one."""
        number = {"type": "integer", "minimum": 1, "title": _("Version")}
        return {"properties": {"policy": {**_NAME, "title": _("Policy")}, "number": number},
                "required": ["policy", "number"]}  # fmt: skip

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """The proposal against what is in force now."""
        found = PolicyVersion.objects.filter(policy__name=str(answers["policy"]), number=str(answers["number"]))
        version = found.select_related("policy", "author").first()
        if version is None or version.state != PolicyVersion.State.PROPOSED:
            raise ActImpossible(why=_("There is no such proposal any more."))
        try:
            proposal = store.examine(version.source)
        except PolicyInvalid as problem:
            raise PolicyRefused(problems=problem.facts["problems"]) from problem
        base = proposal.current.number if proposal.current else 0
        bound: dict[str, Json] = {"base": base, "digest": version.digest}
        return Plan((self.words(version), *proposal.diff[:60]), bound, (version, proposal))

    def words(self, version: PolicyVersion) -> str:
        """What it means, in one sentence."""
        raise NotImplementedError


class ApprovePolicy(_OnProposal):
    """Put a proposal in force."""

    name = "approve-policy"
    title = gettext_lazy("Approve a policy")
    action = gettext_lazy("Approve")
    menu = gettext_lazy("Approve a policy…")

    def words(self, version: PolicyVersion) -> str:
        """It counts."""
        return _("%(policy)s counts within a second, for every worker.") % {"policy": str(version)}

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Somebody else than its author, where two are needed."""
        version, proposal = act.plan.work
        Policy.objects.select_for_update(no_key=True).get(pk=version.policy_id)
        if proposal.needs_second and (act.by is None or act.by.pk == version.author_id):
            raise OwnChange
        store.activate(version, by=act.by)
        about: dict[str, Json] = {"policy": version.policy.name, "number": version.number, "digest": version.digest}
        act.record("policy.activated", **about)
        return {"policy": version.policy.name, "number": version.number}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The policy is in force.")

    def undo(self, target: Target, plan: Plan) -> Undo | None:
        """Propose the text that it replaced."""
        current = plan.work[1].current
        return Undo("propose-policy", {"source": current.source}) if current else None


class RejectPolicy(_OnProposal):
    """Refuse a proposal, or withdraw one's own."""

    name = "reject-policy"
    title = gettext_lazy("Refuse a policy")
    action = gettext_lazy("Refuse")
    menu = gettext_lazy("Refuse a policy…")

    def words(self, version: PolicyVersion) -> str:
        """It never counts."""
        return _("%(policy)s is kept on record and never counts.") % {"policy": str(version)}

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Refuse it."""
        version = act.plan.work[0]
        store.reject(version, by=act.by)
        act.record("policy.rejected", policy=version.policy.name, number=version.number)
        return {"policy": version.policy.name, "number": version.number}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The policy is refused.")


class _OnEntitlement(_PolicyAct):
    """Taking an entitlement of an agent away, and giving it back."""

    scopes: ClassVar[tuple[Scope, ...]] = ("agent",)
    icon = "key-round"
    gives: ClassVar[bool]

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which one."""
        asked = {"policy": {**_NAME, "title": _("Policy")}, "entitlement": {**_NAME, "title": _("Entitlement")}}
        return {"properties": asked, "required": ["policy", "entitlement"]}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """What the agent may do no longer, or again."""
        policy = Policy.objects.filter(name=answers["policy"]).select_related("current").first()
        current = policy.current if policy else None
        document = documents.read(current.source, number=current.number) if current else None
        held = [e for e in document.entitlements if e.id == answers["entitlement"]] if document else []
        if not held or held[0].agent != target.address:
            raise ActImpossible(why=_("No policy in force has such an entitlement of this agent."))
        is_revoked = Revocation.objects.filter(policy=policy, entitlement=held[0].id).exists()
        if is_revoked != self.gives:
            raise ActImpossible(why=_("That has been done already."))
        facts = {"agent": target.address, "tool": held[0].tool, "policy": document.title if document else ""}
        text = _("%(agent)s may call %(tool)s again, as %(policy)s says.")
        if not self.gives:
            text = _("%(agent)s may no longer call %(tool)s by this entitlement of %(policy)s, within a second.")
        return Plan((text % facts,), {"revoked": is_revoked}, (policy, held[0].id))

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Do it, for every later version of the policy too."""
        policy, name = act.plan.work
        about: dict[str, Json] = {"policy": policy.name, "entitlement": name, "agent": act.target.address}
        if self.gives:
            store.restore(policy, name)
            act.record("entitlement.restored", **about)
        else:
            store.revoke(policy, name, by=act.actor, reason=act.reason)
            act.record("entitlement.revoked", **about)
        return about

    def undo(self, target: Target, plan: Plan) -> Undo | None:
        """The other one of the two."""
        policy, name = plan.work
        other = "revoke-entitlement" if self.gives else "restore-entitlement"
        return Undo(other, {"policy": policy.name, "entitlement": name})


class Revoke(_OnEntitlement):
    """Take an entitlement away."""

    name = "revoke-entitlement"
    title = gettext_lazy("Take an entitlement away")
    action = gettext_lazy("Take away")
    menu = gettext_lazy("Take an entitlement away…")
    gives = False

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The entitlement is taken away.")


class Restore(_OnEntitlement):
    """Give an entitlement back."""

    name = "restore-entitlement"
    title = gettext_lazy("Give an entitlement back")
    action = gettext_lazy("Give back")
    menu = gettext_lazy("Give an entitlement back…")
    gives = True

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The entitlement is given back.")


class _OnTool(_PolicyAct):
    """Acts on one tool."""

    icon = "sliders-horizontal"

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which one."""
        return {"properties": {"tool": {**_NAME, "title": _("Tool")}}, "required": ["tool"]}

    def found(self, answers: Mapping[str, Json]) -> Tool:
        """The tool that the answers name."""
        tool = Tool.objects.filter(name=answers["tool"]).first()
        if tool is None:
            raise ActImpossible(why=_("There is no such tool."))
        return tool


class ResetTool(_OnTool):
    """Put a tool back into service."""

    name = "reset-tool"
    title = gettext_lazy("Put a tool back into service")
    action = gettext_lazy("Put back")
    menu = gettext_lazy("Put a tool back…")

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """What goes on."""
        tool = self.found(answers)
        if tool.state == Tool.State.CLOSED and not tool.failures:
            raise ActImpossible(why=_("It is in service."))
        return Plan((_("%(tool)s is called again at once.") % {"tool": tool.name},), {"state": tool.state}, tool)

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Close its breaker."""
        limits.reset(act.plan.work.name)
        act.record("tool.reset", tool=act.plan.work.name)
        return {"tool": act.plan.work.name}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The tool is back in service.")


class LimitTool(_OnTool):
    """Say how often a tool may be called in a minute, by everybody together."""

    name = "limit-tool"
    title = gettext_lazy("Limit a tool")
    action = gettext_lazy("Set limit")
    menu = gettext_lazy("Limit a tool…")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which one, and how often."""
        rate = {"type": "integer", "minimum": 1, "maximum": 1_000_000, "title": _("Calls a minute; empty: no limit")}
        return {"properties": {"tool": {**_NAME, "title": _("Tool")}, "rate": rate}, "required": ["tool"]}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """From what to what."""
        tool, rate = self.found(answers), answers.get("rate")
        words = _("%(tool)s: %(rate)s calls a minute.") if rate else _("%(tool)s: no limit.")
        return Plan((words % {"tool": tool.name, "rate": rate},), {"was": tool.rate_per_minute}, tool)

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Write it."""
        rate = act.answers.get("rate")
        Tool.objects.filter(pk=act.plan.work.pk).update(rate_per_minute=rate, filled_at=None, tokens=0)
        act.record("tool.limits_changed", tool=act.plan.work.name, rate=rate, was=act.plan.work.rate_per_minute)
        return {"tool": act.plan.work.name}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The tool's limit is set.")

    def undo(self, target: Target, plan: Plan) -> Undo | None:
        """What it was."""
        was = {"rate": plan.work.rate_per_minute} if plan.work.rate_per_minute else {}
        return Undo(self.name, {"tool": plan.work.name, **was})


for _act in (ProposePolicy(), ApprovePolicy(), RejectPolicy(), Revoke(), Restore(), ResetTool(), LimitTool()):
    register(_act)
