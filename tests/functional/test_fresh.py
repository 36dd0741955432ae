"""What somebody else does reaches an open page until it is what a fresh one is (scenario 51), on every live page.

A test opens one page, has another person give one command after the other, and holds the page after each against its
own address, freshly opened. A command must also show: one that leaves a fresh page as it was proves nothing.
"""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from agents.messaging import operations, upkeep
from agents.models import Delivery, Subscription
from approvals import asking, handing, services
from approvals.models import Gate
from monitoring.alerts import evaluation, handling, shipped, silences
from monitoring.models import Alert, Silence
from orchestrator import acts, events
from orchestrator import services as engine
from orchestrator.models import Run, Stop
from orchestrator.workshops import CRITERIA
from tests import engine as run_engine
from tests import factories, messages, people
from tests.fresh import Watch
from tests.functional.conftest import Site, at_rest, until

type Command = Callable[[], object]

UNSEEN = "a fresh page shows nothing of it"
# Which card lies open beside the list is for its reader to choose; the card has a test of its own.
THE_READERS_CARD = ("#card",)
# What somebody may be typing into is left to them: it is switched off, not taken away, when the gate is settled.
THE_FORM = ("#decision", "#editor", ".comment-form", "#card-hand")
# What agents write as they write it stays until the reader leaves.
WORDS = "#run-words"
STEPS = """
  - {key: a, type: automated, agent: test-echo}
  - {key: b, type: automated, agent: test-echo}
"""
CHANGED = f"metadata: {{name: flow, title: Flow}}\nsteps:\n{STEPS}\ndependencies: {{a: [b]}}"

pytestmark = pytest.mark.timeout(300)


class Looked:
    """An open page, and what became of it with each command."""

    def __init__(self, site: Site, page: Page, vera: User, context: BrowserContext) -> None:
        self._site, self._page, self._vera = site, page, vera
        self._watch = Watch(context)

    def open(self, path: str, apart: tuple[str, ...] = ()) -> None:
        """Open a page; `apart` is what of it is its reader's."""
        self._watch.apart = apart
        self._site.enter(self._page, self._vera, path)
        expect(self._page.locator("html")).to_have_attribute("data-live", "live")
        at_rest(self._page)
        self._page.evaluate("window.isKept = true")  # a reload would lose it

    def after(self, commands: dict[str, Command]) -> dict[str, str]:
        """How the page differed from a fresh one after each command; the commands that it followed are left out."""
        wrong: dict[str, str] = {}
        before = self._watch.reopened(self._page)
        for name, command in commands.items():
            command()
            now, difference = self._watch.compare(self._page)
            if difference:
                wrong[name] = difference
                self._page.reload()
                at_rest(self._page)
                self._page.evaluate("window.isKept = true")
            elif now == before:
                wrong[name] = UNSEEN
            before = now
        assert self._page.evaluate("window.isKept")
        return wrong


@pytest.fixture
def looked(site: Site, page: Page, vera: User, context: BrowserContext) -> Looked:
    page.mouse.move(0, 0)
    return Looked(site, page, vera, context)


def act(scope: str, name: str, ref: object, who: User, /, **answers: object) -> Command:
    """One act of steering, as somebody else gives it."""
    return lambda: acts.perform(
        acts.find(scope, name),
        acts.locate(scope, str(ref)),
        by=who,
        reason="because",
        answers=answers,  # type: ignore[arg-type]
    )


def told(problems: dict[str, str]) -> str:
    return "\n\n".join(f"== {name}\n{difference}" for name, difference in problems.items())


def left(wrong: dict[str, str], elsewhere: set[str]) -> dict[str, str]:
    """What is wrong, without the commands of which this page does not tell."""
    return {name: what for name, what in wrong.items() if what != UNSEEN or name not in elsewhere}


def gates_of(otto: User) -> dict[str, Command]:
    """What people do about gates, in an order in which each is possible."""
    made: list[Gate] = [people.gate(title=f"Isolate host {number}", risk="high") for number in range(5)]
    first, second, third, fourth, fifth = made

    def decide(gate: Gate, verdict: str, **more: object) -> Command:
        def decided() -> object:
            version = Gate.objects.get(pk=gate.pk).version
            return services.decide(gate_id=gate.pk, by=otto, verdict=verdict, gate_version=version, note="why", **more)  # type: ignore[arg-type]

        return decided

    return {
        "open a gate": lambda: people.gate(title="Quarantine a mailbox", risk="critical"),
        "claim": lambda: services.claim_gate(gate_id=first.pk, by=otto),
        "release": lambda: services.release_claim(gate_id=first.pk, by=otto),
        "hand on": lambda: handing.hand(gate_id=second.pk, by=otto, to=otto, reason="knows the host"),
        "approve": decide(first, "approve"),
        "edit": decide(second, "edit", edited={"summary": "Isolate another host"}),
        "request changes": decide(third, "request_changes"),
        "reject": decide(fourth, "reject"),
        "terminate": decide(fifth, "terminate"),
    }


def steering_of_a_run(run: Run, otto: User) -> dict[str, Command]:
    """What may be done to a run, in an order in which each is possible; it is cancelled in the end."""
    return {
        "pause": act("run", "pause", run.pk, otto),
        "resume": act("run", "resume", run.pk, otto),
        "set its priority": act("run", "priority", run.pk, otto, priority=7),
        "set its deadline": act("run", "deadline", run.pk, otto, by="2999-01-01T00:00Z"),
        "pause its workflow": act("workflow", "pause", run.workflow.name, otto),
        "resume its workflow": act("workflow", "resume", run.workflow.name, otto),
        "cancel": act("run", "cancel", run.pk, otto),
    }


def stopping(agent: str, otto: User) -> dict[str, Command]:
    """Stops of all sizes, and that each is over."""
    return {
        "stop an agent": act("agent", "stop", agent, otto),
        "let the agent go on": act("agent", "resume", agent, otto),
        "stop everything": lambda: engine.stop(scope="everything", ref=None, by=otto, reason="nonsense"),
        "lift": lambda: engine.lift_stop(stop_id=Stop.objects.get(lifted_at=None).pk, by=otto, reason="mended"),
    }


def service_of(agent: str, otto: User) -> dict[str, Command]:
    """An agent stopped, ended and started again, and what it is held to."""
    return {
        "stop": act("agent", "stop", agent, otto),
        "go on": act("agent", "resume", agent, otto),
        "terminate": act("agent", "terminate", agent, otto, in_hand="put before people"),
        "start": act("agent", "start", agent, otto),
        "set targets": act("agent", "set-targets", agent, otto, success=0.9, hours=12),
        "limit": lambda: engine.set_agent_limits(agent=agent, max_concurrency=3, rate_per_minute=9, by=otto),
    }


def an_alert(otto: User) -> Alert:
    """A run failed, and the rules say so."""
    shipped.seed()
    evaluation.tick()
    failed = factories.run(factories.workflow(), statuses=["succeeded", "failed"], status="failed", minutes=200)
    events.append("run.failed", actor="engine", run_id=failed.pk)
    until(lambda: evaluation.tick() or Alert.objects.exists(), what="an alert is raised")
    return Alert.objects.order_by("pk")[0]


def answers_to(alert: Alert, otto: User) -> dict[str, Command]:
    """What people do about an alert."""
    soon = timezone.now() + timedelta(hours=4)
    return {
        "hand on": lambda: handling.assign(alert.pk, by=otto, to="otto"),
        "silence": lambda: silences.make(by=otto, rule=alert.rule, subject=alert.subject, end=soon, reason="known"),
        "end the silence": lambda: silences.end(Silence.objects.latest("pk").pk, by=otto),
        "acknowledge": lambda: handling.acknowledge(alert.pk, by=otto, note="I look"),
    }


def old(run: Run) -> Run:
    """Hours old: how long a run has been running is said to the minute, and then it says the same for a while."""
    Run.objects.filter(pk=run.pk).update(started_at=timezone.now() - timedelta(hours=30))
    return run


def test_floor(looked: Looked, otto: User) -> None:
    alert, run = an_alert(otto), old(people.run(by=otto))
    agent, commands = factories.agent("packer"), gates_of(otto)
    looked.open("/")

    wrong = looked.after({
        "start a run": lambda: people.run(by=otto),
        **commands,
        **steering_of_a_run(run, otto),
        **stopping(agent.name, otto),
        "acknowledge an alert": answers_to(alert, otto)["acknowledge"],
    })  # fmt: skip

    assert not wrong, told(wrong)


def test_inbox(looked: Looked, otto: User) -> None:
    first = people.gate(title="The one that is open", risk="critical", deadline_s=60.0 * 60)
    commands = gates_of(otto)
    looked.open(f"/inbox/{first.pk}/", THE_READERS_CARD)

    wrong = left(looked.after({**commands, **stopping(factories.agent("packer").name, otto)}), {"hand on"})

    assert not wrong, told(wrong)


def test_card(looked: Looked, otto: User) -> None:
    gate = people.gate(title="Isolate host", risk="high")
    looked.open(f"/inbox/{gate.pk}/", THE_FORM)

    wrong = looked.after({
        "claim": lambda: services.claim_gate(gate_id=gate.pk, by=otto),
        "release": lambda: services.release_claim(gate_id=gate.pk, by=otto),
        "comment": lambda: services.comment(gate_id=gate.pk, by=otto, text="I know this host"),
        "ask the agent": lambda: asking.ask(gate_id=gate.pk, by=otto, text="Why this one?"),
        "hand on": lambda: handing.hand(gate_id=gate.pk, by=otto, to=otto),
        "reject": lambda: services.decide(gate_id=gate.pk, by=otto, verdict="reject", gate_version=1, note="no"),
    })  # fmt: skip

    assert not wrong, told(wrong)


def test_runs(looked: Looked, otto: User) -> None:
    run, commands = old(people.run(by=otto)), gates_of(otto)
    Run.objects.update(started_at=timezone.now() - timedelta(hours=30))
    looked.open("/runs/")

    def publish_another() -> None:
        factories.workflow("refunds")
        events.append("workflow.published", actor="user:otto")

    wrong = looked.after({
        **commands,
        **steering_of_a_run(run, otto),
        "publish a workflow": publish_another,
    })  # fmt: skip
    wrong = left(wrong, {"claim", "release", "hand on", "set its priority", "set its deadline"})

    assert not wrong, told(wrong)


@pytest.mark.parametrize("tab", ["graph", "narrative", "state", "past", "files", "input"])
def test_run(looked: Looked, otto: User, tab: str) -> None:
    run = old(people.run())  # nobody decides what they asked for themselves
    gates: list[Gate] = []
    looked.open(f"/runs/{run.pk}/?tab={tab}", ("#run-past", WORDS) if tab == "past" else (WORDS,))

    wrong = looked.after({
        "write into its state": act("run", "write-state", run.pk, otto, key="shared.host", value={"name": "fin-db-02"}),
        "save a checkpoint": act("run", "checkpoint", run.pk, otto, name="before it"),
        "ask people": lambda: gates.append(people.gate(of=run)),
        "claim": lambda: services.claim_gate(gate_id=gates[0].pk, by=otto),
        "approve": lambda: services.decide(gate_id=gates[0].pk, by=otto, verdict="approve", gate_version=1),
        **steering_of_a_run(run, otto),
    })  # fmt: skip
    # What goes in and out stands still meanwhile, and who looks after a question is no part of the state.
    wrong = left(wrong, {"input": set(wrong), "files": set(wrong), "state": {"claim"}}.get(tab, set()))

    assert not wrong, told(wrong)


@pytest.mark.parametrize("tab", ["graph", "design", "people", "schedules", "signals", "versions", "runs", "budgets"])
def test_workflow(looked: Looked, otto: User, tab: str) -> None:
    run_engine.publish(STEPS)
    looked.open(f"/workflows/flow/?tab={tab}")

    def on(name: str, /, **answers: object) -> Command:
        return act("workflow", name, "flow", otto, **answers)

    wrong = looked.after({
        "pause": on("pause"),
        "resume": on("resume"),
        "stop": on("stop"),
        "go on": on("resume"),
        "choose a pattern": on("choose-pattern", pattern="saga", linear="yes"),
        "one agent": on("single-agent", agent="test-asker"),
        "several again": on("several-agents"),
        "freeze": on("freeze"),
        "unfreeze": on("unfreeze"),
        "publish": on("publish", source=CHANGED),
        "bring back": on("bring-back", version="1"),
        "start a run": run_engine.start,
    })  # fmt: skip

    assert not wrong, told(wrong)


def test_agents(looked: Looked, otto: User) -> None:
    run_engine.publish(STEPS)
    looked.open("/agents/")

    wrong = looked.after(service_of("test-echo", otto))

    assert not wrong, told(wrong)


def test_agent(looked: Looked, otto: User) -> None:
    run_engine.publish(STEPS)
    looked.open("/agents/test-echo/")

    wrong = looked.after({
        "describe": act("agent", "describe", "test-echo", otto, owner="otto", domains="fraud"),
        "pause": act("agent", "pause", "test-echo", otto),
        "resume": act("agent", "resume", "test-echo", otto),
        **service_of("test-echo", otto),
        "hold a workshop": act("agent", "hold-workshop", "test-echo", otto, **dict.fromkeys(CRITERIA, 3)),
    })  # fmt: skip

    assert not wrong, told(wrong)


@pytest.mark.parametrize("which", ["list", "alert"])
def test_alerts(looked: Looked, otto: User, which: str) -> None:
    alert = an_alert(otto)
    looked.open("/alerts/" if which == "list" else f"/alerts/{alert.pk}/")

    wrong = looked.after(answers_to(alert, otto))

    assert not wrong, told(wrong)


@pytest.mark.parametrize("tab", ["messages", "dead", "routing"])
def test_messages(looked: Looked, otto: User, tab: str) -> None:
    messages.agents("planner", "legal")
    letters = [messages.send({"text": "poison"}, to="legal").deliveries.get() for _ in range(2)]
    Delivery.objects.update(state="dead", failures=5, problem="Its reader raised ValueError.", ended_at=timezone.now())
    upkeep.tell()
    looked.open(f"/agents/messages/?tab={tab}")

    def send() -> None:
        messages.send({"question": "May we?"}, to="legal")
        upkeep.tell()  # as the control worker does every few seconds: messages are told of by the many

    wrong = looked.after({
        "send": send,
        "put back": lambda: operations.requeue([letters[0].pk], by=otto, reason="mended"),
        "give up": lambda: operations.drop(letters[1].pk, by=otto, reason="nobody needs it"),
        "listen": lambda: operations.subscribe("legal", "claims.*", by=otto),
        "stop listening": lambda: operations.set_enabled(Subscription.objects.get().pk, enabled=False, by=otto),
        "remove the rule": lambda: operations.unsubscribe(Subscription.objects.get().pk, by=otto, reason="over"),
    })  # fmt: skip
    wrong = left(wrong, {"listen", "stop listening", "remove the rule"} if tab != "routing" else set())

    assert not wrong, told(wrong)


def test_stop(looked: Looked, otto: User) -> None:
    run_engine.publish(STEPS)
    run = run_engine.start()
    looked.open("/stop/")

    wrong = looked.after({
        "start a run": run_engine.start,
        "pause a run": act("run", "pause", run.pk, otto),
        "resume it": act("run", "resume", run.pk, otto),
        "cancel it": act("run", "cancel", run.pk, otto),
        **stopping("test-echo", otto),
    })  # fmt: skip

    assert not wrong, told(wrong)
