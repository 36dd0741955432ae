"""Who is who in the access matrix, and the one world that all of them look at."""

from dataclasses import dataclass, field
from datetime import timedelta

from django.contrib.auth.models import AnonymousUser, User
from django.db import connection
from django.test import Client
from django.utils import timezone

from agents.models import Agent, Dataset, Evaluation, EvaluationCase, EvaluationItem, Tool, ToolVersion
from agents.policies import store
from agents.prompts import services as prompts
from approvals import access
from approvals.feedback import secrets
from approvals.models import Feedback, FeedbackLink, Gate, Improvement, Lesson, Proposal
from approvals.roles import ROLES
from monitoring.alerts import shipped
from monitoring.models import Alert, AlertRule, Silence
from orchestrator import callback_tokens, services
from orchestrator.models import Artifact, ConsumerGroup, Run, Schedule, StateEntry, Stop, Wait
from tests import factories, people

CALLBACK = f"cb_1_{'a' * 64}"  # the secret part of an address at which a task takes one answer
BACKEND = "django.contrib.auth.backends.ModelBackend"
# In the order of the matrix' columns: a name to read, and three letters to draw the table with.
PERSONAS = {
    "anonymous": "ano",
    "nobody": "nob",  # signed in, without any role or grant
    "other": "oth",  # decides another queue, sees another workflow
    "viewer": "vie",  # one grant: sees runs of this workflow
    "watcher": "wat",  # one grant: sees gates of this queue
    "reviewer": "rev",  # one grant: decides gates of this queue
    "requester": "req",  # a reviewer of this queue who started this run
    "Workflow Orchestration Manager": "man",
    "Agent Development Specialist": "dev",
    "System Integration Engineer": "eng",
    "Quality Assurance Lead": "qua",
    "Human Oversight Coordinator": "coo",
    "Performance Analytics Specialist": "ana",
    "Reviewer": "Rev",
    "Auditor": "aud",
    "Administrator": "adm",
    "superuser": "sup",
}


@dataclass(frozen=True)
class World:
    """One run that waits at a gate, what it knows and delivered, the place of its newest event, and a stop in force."""

    run: Run
    gate: Gate
    file: Artifact
    agent: Agent
    stop: Stop
    pos: int
    persons: dict[str, User]
    learned: dict[str, int]
    browsers: dict[str, Client] = field(default_factory=dict)  # one for each persona, signed in once
    cookies: dict[str, dict[str, str]] = field(default_factory=dict)

    def fill(self, address: str) -> str:
        """An address of a route with the ids of real things in it."""
        return address.format(
            gate=self.gate.pk, run=self.run.pk, file=self.file.pk, task=self.gate.task_id,
            workflow=self.run.workflow.name, agent=self.agent.name, stop=self.stop.pk,
            pos=self.pos, person=self.persons["reviewer"].pk, **self.learned,
        )  # fmt: skip

    def browser(self, persona: str) -> Client:
        """A browser in which this persona is signed in, if they can be."""
        client = self.browsers.get(persona)
        if client is None:
            client = self.browsers[persona] = Client(raise_request_exception=False)
            if persona in self.persons:
                client.force_login(self.persons[persona], backend=BACKEND)
            self.cookies[persona] = {name: cookie.value for name, cookie in client.cookies.items()}
        # Whatever was answered last may have taken or left cookies; what it did to the database was undone.
        client.cookies.clear()
        client.cookies.load(self.cookies[persona])
        return client

    def user(self, persona: str) -> User | AnonymousUser:
        """The persona as rights see them, with nothing remembered."""
        found = self.persons.get(persona)
        return User.objects.get(pk=found.pk) if found else AnonymousUser()


def world() -> World:
    """Everybody and everything, made anew."""
    persons = _persons()
    run = people.run(by=persons["requester"])
    agent = Agent.objects.get(name="assessor")
    stop = services.stop(scope="agent", ref=factories.agent("elsewhere").pk, by=persons["superuser"], reason="tests")
    gate = people.gate(of=run)
    ConsumerGroup.objects.create(name="listener", workflow=run.workflow, signal="order.paid")
    Schedule.objects.create(name="nightly", workflow=run.workflow, cron="0 2 * * *", zone="UTC", reason="tests")
    Wait.objects.create(task_id=gate.task_id, kind="callback", token_hash=callback_tokens.digest(CALLBACK))
    _evaluations()
    with connection.cursor() as cursor:  # beyond the numbers that were chosen here
        cursor.execute("SELECT setval(pg_get_serial_sequence('agents_dataset', 'id'), 1000)")
    StateEntry.objects.create(run=run, key="shared.x", version=1, value=1, writer="engine")
    tool = Tool.objects.create(name="test.tool", title="Tool")
    ToolVersion.objects.create(tool=tool, number=1, risk="low", digest="x")
    policy = "policy: incident\nentitlements: []\ntests: [{name: none, agent: a, tool: b, expect: deny}]"
    store.propose(policy, by=None, reason="for the tests")
    prompts.create(
        name="greeting",
        title="Greeting",
        text=prompts.Text(template="Greet.", variables=[], change="", git_ref="", docs_link=""),
        by=persons["superuser"],
    )
    learned = _learned(run, persons["superuser"]) | {"team": persons["reviewer"].groups.get().pk}
    return World(run, gate, factories.artifact(run), agent, stop, _sealed(), persons, learned)


def _learned(run: Run, by: User) -> dict[str, int]:
    """Something that was said of the run and what came of it: the ids by the names of addresses."""
    now, digest = timezone.now(), secrets.digest("a" * 43)
    about = {"run": run, "workflow": run.workflow}
    figures = {"n": 1, "wrong": 1, "share": 1, "low": 0, "high": 1, "days": 90}
    rows = {
        "link": FeedbackLink.objects.create(
            digest=digest, run=run, queue=people.queue(), about="a", made_by=by, expires_at=now.replace(year=2999)
        ),
        "feedback": Feedback.objects.create(digest=digest, author=by, rating=1, **about),
        "lesson": Lesson.objects.create(event=1, at=now, by=by, verdict="edit_input", stood=False, step="s", **about),
        "improvement": Improvement.objects.create(kind="retraining", subject="assessor", words="w"),
        "proposal": Proposal.objects.create(
            kind="gate",
            workflow=run.workflow,
            step="assess",
            base=1,
            change={"when": "true"},
            before={"when": "true"},
            data=figures,
        ),
    }
    return {name: row.pk for name, row in rows.items()} | _alerted(run, by)


def _alerted(run: Run, by: User) -> dict[str, int]:
    """An alert about this run, and a silence of another rule."""
    shipped.seed()
    rule, other = (AlertRule.objects.get(name=name) for name in ("failed-run", "long-run"))
    alert = Alert.objects.create(
        rule=rule, scope="run", subject=str(run.pk), severity="critical", message="Run failed", run_id=run.pk,
        workflow=run.workflow, data={"about": run.title},
    )  # fmt: skip
    until = timezone.now() + timedelta(days=1)
    return {"alert": alert.pk, "silence": Silence.objects.create(rule=other, until=until, reason="r", made_by=by).pk}


def _evaluations() -> None:
    """Two evaluations with a case each, an open item and a dataset, all with numbers that addresses know."""
    for pk in (1, 2):
        made = Evaluation.objects.create(
            pk=pk, suite="s", kind="safety", suite_digest="s", agent="assessor", agent_version=1, agent_digest="a",
            dataset="d", dataset_digest="d", cases=1, measures={}, thresholds={}, passed=False, trigger="command",
            started_at=timezone.now(),
        )  # fmt: skip
        EvaluationCase.objects.create(
            evaluation=made,
            number=1,
            case_digest="c",
            passed=False,
            succeeded=True,
            latency_ms=1,
            input={},
            expected={},
        )
    EvaluationItem.objects.create(pk=1, suite="s", agent="assessor", evaluation_id=1)
    Dataset.objects.create(pk=1, name="d", digest="d", cases=0, created_by="tests")


def _sealed() -> int:
    """Seal what this test's own transaction has written, as no sequencer can see it; the newest place."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_pos FROM seal_events(0, '{}', 10000, NULL)")
        return int(cursor.fetchone()[0])


def _persons() -> dict[str, User]:
    here, elsewhere = people.queue(), people.queue("elsewhere")
    persons = {
        "nobody": people.person("nobody"),
        "other": people.person("other", "Reviewer", decides=elsewhere),
        "viewer": people.person("viewer", "Reviewer"),
        "watcher": people.person("watcher", "Reviewer", sees=here),
        "reviewer": people.person("reviewer", "Reviewer", decides=here),
        "requester": people.person("requester", "Reviewer", decides=here),
        **{role: people.person(role.split()[0].lower(), role) for role in ROLES if role != "Reviewer"},
        "Reviewer": people.person("role", "Reviewer"),
        "superuser": people.person("root", is_superuser=True, is_staff=True),
    }
    access.grant(to=persons["viewer"], permission="see_runs", on=people.workflow(), by=None)
    access.grant(to=persons["other"], permission="see_runs", on=people.workflow("other"), by=None)
    return persons
