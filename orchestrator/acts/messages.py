"""Acts on messages: put dead letters back, give them up and take that back, deliver again, say who listens to what.

`agents.messaging.operations` does each of them and tells its event; here is what it would do, and what takes it back.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Final

from django.contrib.auth.models import User
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.marking import marked_forms
from agents.messaging import operations
from agents.messaging.errors import MessagingError
from agents.models import Agent, Delivery, Message, Subscription
from agents.types import Json
from orchestrator import ports
from orchestrator.acts.core import Act, Performing, Person, Plan, Scope, Target, Undo, counted, register
from orchestrator.acts.refusals import ActImpossible

NAMED: Final = 20  # letters in words; the others are counted
MOST: Final = 500
LARGEST: Final = 2**53 - 1


class _MessageAct(Act):
    """What they have in common: one right, no menu (the pages of messages offer them), the way back to their page."""

    scopes: ClassVar[tuple[Scope, ...]] = ("everything",)
    tab: ClassVar[str]
    did: ClassVar[str | Promise]

    def permits(self, user: Person, target: Target) -> bool:
        """`manage_messages`."""
        return ports.rights().can(user, "manage_messages")

    def is_offered(self, target: Target) -> bool:
        """Only on the pages of messages, which fill in what it is about."""
        return False

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Have it done, with its event."""
        assert act.by is not None  # the engine does none of this
        with _in_words():
            facts = self.do(act, act.by)
        return {**facts, "href": f"{reverse('agents:messages')}?tab={self.tab}"}

    def do(self, act: Performing, by: User) -> Mapping[str, Json]:
        """Call the operation."""
        raise NotImplementedError

    def done(self, target: Target) -> str:
        """In one sentence."""
        return str(self.did)


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except MessagingError as refused:
        raise ActImpossible(why=str(refused)) from refused


class _OnLetters(_MessageAct):
    """What is done to some deliveries in one state."""

    icon = "rotate-ccw"
    tab = "dead"
    state: ClassVar[str] = Delivery.State.DEAD
    says: ClassVar[tuple[str, str]]  # one, many
    warns: ClassVar[str | Promise] = ""

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which ones."""
        number: dict[str, Json] = {"type": "integer", "minimum": 1, "maximum": LARGEST}
        asked = {"type": "array", "items": number, "minItems": 1, "maxItems": MOST, "uniqueItems": True}
        return {
            "properties": {"deliveries": {**asked, "title": _("Deliveries, by number")}},
            "required": ["deliveries"],
        }

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """Each of them as it stands; all or none."""
        given: Any = answers["deliveries"]
        asked: list[int] = given
        rows = list(Delivery.objects.filter(pk__in=asked).select_related("message").order_by("pk"))
        if len(rows) < len(asked) or any(not self.fits(row) for row in rows):
            raise ActImpossible(why=_("One of them is gone, or somebody has dealt with it; look at the list again."))
        lines = (*counted(len(rows), *self.says), *(_letter(row) for row in rows[:NAMED]))
        bound: dict[str, Json] = {"letters": [[row.pk, row.state, row.failures] for row in rows]}
        return Plan(lines, bound, [row.pk for row in rows], (str(self.warns),) if self.warns else ())

    def fits(self, row: Delivery) -> bool:
        """Whether this may be done to it."""
        return row.state == self.state


def _letter(row: Delivery) -> str:
    told = {"id": row.pk, "who": row.message.agent_id, "type": row.message.message_type, "to": row.recipient}
    return _("%(id)d: %(type)s from %(who)s for %(to)s. %(problem)s") % {**told, "problem": row.problem}


class Requeue(_OnLetters):
    """Put dead letters back."""

    name = "requeue-letters"
    title = gettext_lazy("Put dead letters back")
    action = gettext_lazy("Put back")
    menu = gettext_lazy("Put dead letters back…")
    says = marked_forms(
        "%(count)s letter is read again, its failures forgotten:",
        "%(count)s letters are read again, their failures forgotten:",
    )
    warns = gettext_lazy("It cannot be taken back: a reader may have them at once.")
    did = gettext_lazy("The dead letters were put back.")

    def do(self, act: Performing, by: User) -> Mapping[str, Json]:
        """All or none."""
        return {"deliveries": list[Json](operations.requeue(act.plan.work, by=by, reason=act.reason))}


class Drop(_OnLetters):
    """Give dead letters up."""

    name = "drop-letters"
    icon = "trash-2"
    is_grave = True
    title = gettext_lazy("Give dead letters up")
    action = gettext_lazy("Give up")
    menu = gettext_lazy("Give dead letters up…")
    says = marked_forms(
        "%(count)s letter is delivered to nobody any more, and stays readable:",
        "%(count)s letters are delivered to nobody any more, and stay readable:",
    )
    did = gettext_lazy("The dead letters were given up.")

    def do(self, act: Performing, by: User) -> Mapping[str, Json]:
        """All or none."""
        for pk in act.plan.work:
            operations.drop(pk, by=by, reason=act.reason)
        return {"deliveries": act.plan.work}

    def undo(self, target: Target, plan: Plan) -> Undo:
        """Dead letters again."""
        return Undo("restore-letters", {"deliveries": plan.work})


class Restore(_OnLetters):
    """Make dead letters again of what was given up."""

    name = "restore-letters"
    title = gettext_lazy("Make dead letters again")
    action = gettext_lazy("Take back")
    menu = gettext_lazy("Make dead letters again…")
    state = Delivery.State.EXPIRED
    says = marked_forms("%(count)s letter waits for a person again:", "%(count)s letters wait for a person again:")
    did = gettext_lazy("They are dead letters again.")

    def fits(self, row: Delivery) -> bool:
        """What merely expired never was one."""
        return super().fits(row) and operations.was_dead(row)

    def do(self, act: Performing, by: User) -> Mapping[str, Json]:
        """All or none."""
        return {"deliveries": list[Json](operations.restore(act.plan.work, by=by, reason=act.reason))}

    def undo(self, target: Target, plan: Plan) -> Undo:
        """Give them up."""
        return Undo("drop-letters", {"deliveries": plan.work})


class Replay(_MessageAct):
    """Deliver the messages of a piece of work again."""

    name = "replay-messages"
    icon = "rotate-ccw"
    tab = "messages"
    title = gettext_lazy("Deliver messages again")
    action = gettext_lazy("Deliver again")
    menu = gettext_lazy("Deliver messages again…")
    hint = gettext_lazy("In their order; what the readers do with them, they do again.")
    did = gettext_lazy("The messages are delivered again.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which piece of work, and to whom."""
        work = {"type": "string", "minLength": 1, "maxLength": 200, "title": _("Correlation id")}
        to = {"type": "string", "maxLength": 100, "title": _("Only to this agent; empty: to everybody who had them")}
        return {"properties": {"correlation_id": work, "to": to}, "required": ["correlation_id"]}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """How many, and to whom."""
        work, to = str(answers["correlation_id"]), str(answers.get("to", ""))
        found = Message.objects.filter(correlation_id=work)
        count = min(found.count(), operations.MOST_REPLAYED)
        if not count:
            raise ActImpossible(why=_("No message has this correlation id."))
        if to and not Agent.objects.filter(name=to).exists():
            raise ActImpossible(why=_("There is no agent %(name)s.") % {"name": to})
        first = Delivery.objects.filter(message__in=found, replay=0)
        readers = [to] if to else sorted(set(first.values_list("recipient", flat=True)))
        told = _("To: %(readers)s.") % {"readers": ", ".join(readers[:NAMED])}
        lines = (*counted(count, "%(count)s message, once more.", "%(count)s messages, once more."), told)
        warning = _("It cannot be taken back: a reader may have them at once.")
        return Plan(lines, {"messages": count, "readers": list[Json](readers)}, (work, to), (warning,))

    def do(self, act: Performing, by: User) -> Mapping[str, Json]:
        """Once more."""
        work, to = act.plan.work
        return {"deliveries": operations.replay(work, by=by, reason=act.reason, to=to)}


class _OnRule(_MessageAct):
    """What is done about one agent listening to one topic; a rule is known by what it says."""

    icon = "route"
    tab = "routing"
    says: ClassVar[str | Promise]
    other: ClassVar[str]  # the act that takes it back

    def schema(self, target: Target) -> Mapping[str, Any]:
        """The rule."""
        agent = {"type": "string", "minLength": 1, "maxLength": 100, "title": _("Agent")}
        star = _("* is any one word, # at the end any rest; broadcast is what goes to everybody.")
        topic = {"type": "string", "minLength": 1, "maxLength": 200, "title": _("Topic"), "description": star}
        only = {"type": "string", "maxLength": 2000, "title": _("Only if"), "description": _("CEL over message.")}
        return {"properties": {"agent": agent, "topic": topic, "match": only}, "required": ["agent", "topic"]}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """What it means."""
        rule = {name: str(answers.get(name, "")) for name in ("agent", "topic", "match")}
        row = self.held(rule)
        lines = [str(self.says) % rule]
        if rule["match"]:
            lines.append(_("Only if %(match)s.") % rule)
        return Plan(tuple(lines), {"rule": row.pk if row else None, "on": row.enabled if row else None}, (rule, row))

    def held(self, rule: Mapping[str, str]) -> Subscription | None:
        """The rule as it stands. Raises ActImpossible where it must be there, and is not."""
        row = _rule(rule)
        if row is None:
            raise ActImpossible(why=_("There is no such rule any more."))
        return row

    def undo(self, target: Target, plan: Plan) -> Undo:
        """The opposite, for the same rule."""
        rule: dict[str, Json] = {name: text for name, text in plan.work[0].items() if text}
        return Undo(self.other, rule)


def _rule(rule: Mapping[str, str]) -> Subscription | None:
    named = Subscription.objects.select_related("agent").filter(agent__name=rule["agent"])
    return named.filter(topic=rule["topic"], match=rule["match"]).first()


class Listen(_OnRule):
    """Have an agent listen to a topic."""

    name = "listen"
    title = gettext_lazy("Have an agent listen")
    action = gettext_lazy("Listen")
    menu = gettext_lazy("Have an agent listen…")
    says = gettext_lazy("%(agent)s gets every message on %(topic)s, from the next one on.")
    did = gettext_lazy("The agent listens from the next message on.")
    other = "unlisten"

    def held(self, rule: Mapping[str, str]) -> Subscription | None:
        """Whatever would be refused is refused now."""
        with _in_words():
            operations.check_rule(rule["agent"], rule["topic"], rule["match"])
        return None

    def do(self, act: Performing, by: User) -> Mapping[str, Json]:
        """Make the rule."""
        made = operations.subscribe(**_named(act), by=by, reason=act.reason)
        return {"subscription": made.pk}


class Unlisten(_OnRule):
    """End a rule."""

    name = "unlisten"
    icon = "trash-2"
    is_grave = True
    title = gettext_lazy("Remove who listens")
    action = gettext_lazy("Remove")
    menu = gettext_lazy("Remove who listens…")
    says = gettext_lazy("%(agent)s gets no more messages on %(topic)s; what is queued is still delivered.")
    did = gettext_lazy("The rule is removed.")
    other = "listen"

    def do(self, act: Performing, by: User) -> Mapping[str, Json]:
        """End it."""
        operations.unsubscribe(act.plan.work[1].pk, by=by, reason=act.reason)
        return {}


class _Switch(_OnRule):
    """Stop a rule for a while, or let it go on."""

    on: ClassVar[bool]

    def held(self, rule: Mapping[str, str]) -> Subscription | None:
        """It has to be the other way."""
        row = super().held(rule)
        if row is not None and row.enabled == self.on:
            raise ActImpossible(why=_("That has been done already."))
        return row

    def do(self, act: Performing, by: User) -> Mapping[str, Json]:
        """Write it."""
        operations.set_enabled(act.plan.work[1].pk, enabled=self.on, by=by, reason=act.reason)
        return {}


class Pause(_Switch):
    """Stop listening for a while."""

    name = "pause-listening"
    icon = "pause"
    title = gettext_lazy("Stop listening for a while")
    action = gettext_lazy("Stop listening")
    menu = gettext_lazy("Stop listening…")
    says = gettext_lazy(
        "Messages on %(topic)s go past %(agent)s until somebody lets the rule go on; none is made up for."
    )
    did = gettext_lazy("The rule is stopped.")
    other = "resume-listening"
    on = False


class Resume(_Switch):
    """Go on listening."""

    name = "resume-listening"
    icon = "play"
    title = gettext_lazy("Go on listening")
    action = gettext_lazy("Go on")
    menu = gettext_lazy("Go on listening…")
    says = gettext_lazy("%(agent)s gets messages on %(topic)s again, from the next one on.")
    did = gettext_lazy("The agent listens again.")
    other = "pause-listening"
    on = True


def _named(act: Performing) -> dict[str, str]:
    rule: dict[str, str] = act.plan.work[0]
    return {"agent": rule["agent"], "topic": rule["topic"], "match": rule["match"]}


for _act in (Requeue(), Drop(), Restore(), Replay(), Listen(), Unlisten(), Pause(), Resume()):
    register(_act)
