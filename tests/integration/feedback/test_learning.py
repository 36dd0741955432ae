"""Lessons from decisions and overrides, work that follows from them, and corrections that teach."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from agents.evaluation.cases import read_jsonl
from agents.models import ModelCall, PromptVersion, ToolUse
from agents.prompts import services as prompts
from approvals import services
from approvals.errors import FeedbackNotFound, FeedbackRefused, NotPermitted, OutcomeMissing
from approvals.feedback import examples, learning, patterns, retrospective, watching
from approvals.feedback.models import Improvement, Lesson, Retro
from approvals.models import Gate
from orchestrator import events
from orchestrator.models import Event, Task
from tests import people
from tests.integration.feedback.conftest import EDITED, learn

pytestmark = pytest.mark.django_db
LEAD, DEVELOPER = "Quality Assurance Lead", "Agent Development Specialist"


def used_prompt(gate: Gate, prompt: str) -> None:
    ModelCall.objects.create(
        key="k", correlation_id=gate.run.correlation_id, attempt=1, agent="assessor", model="m", prompt=prompt
    )


def test_learn_draws_one_lesson_from_each_decision_and_override_and_none_twice(decided, ana):
    decided()
    edited = decided("edit", causes=("prompt_gap",))
    decided("terminate")
    task = Task.objects.get(pk=edited.task_id)
    events.append(
        "task.edited", actor="user:ana", run_id=task.run_id, task_id=task.pk, data={"reason": "typo", "cause": "other"}
    )
    events.append("task.succeeded", actor="agent:x", run_id=task.run_id, task_id=task.pk, data={"given": True})

    assert learn() == {"assessor"}
    assert learn() == set()

    found = list(Lesson.objects.order_by("pk").values_list("verdict", "stood", "causes", "reason"))
    assert found == [
        ("approve", True, [], ""),
        ("edit", False, ["prompt_gap"], "Cite the log."),
        ("terminate", None, [], "Cite the log."),
        ("edit_input", False, ["other"], "typo"),
    ]
    pair = examples.pair(Lesson.objects.get(verdict="edit"))
    assert (pair.input, pair.output, pair.edited) == (people.GIVEN, people.PROPOSAL, EDITED)


def test_learn_takes_a_chosen_alternative_for_a_correction(ana):
    better = {"summary": "Watch the host", "amount": 1}
    allowed = (*people.ALL, "choose")
    gate = people.gate(alternatives=({"option": "watch", "output": better},), allowed=allowed)
    services.decide(gate_id=gate.pk, by=ana, verdict="choose", gate_version=1, edited={"alternative": 0})
    learn()

    lesson = Lesson.objects.get()
    assert (lesson.stood, lesson.edited, examples.pair(lesson).output) == (False, better, people.PROPOSAL)


def test_learn_leaves_the_log_to_whoever_is_at_it(decided):
    decided()
    learning.LessonCursor.objects.create(pos=10**9)

    assert learn() == set()
    assert not Lesson.objects.exists()


def test_look_opens_one_retraining_with_examples_until_it_is_closed(decided):
    for _ in range(15):
        decided()
    for _ in range(4):
        decided("edit")
    assert watching.look(learn()) == 0  # 19 say too little
    decided("edit")

    assert watching.look(learn()) == 1
    assert watching.look({"assessor"}) == 0
    task = Improvement.objects.get()
    assert (task.kind, task.subject, task.facts["n"], task.facts["count"]) == ("retraining", "assessor", 20, 5)
    assert set(task.facts["examples"]) == set(Lesson.objects.filter(stood=False).values_list("pk", flat=True))

    lead = people.person("lena", LEAD)
    with pytest.raises(OutcomeMissing):
        watching.close(task.pk, by=lead, outcome=" ")
    with pytest.raises(NotPermitted):
        watching.close(task.pk, by=people.person("rob", "Reviewer"), outcome="done")
    watching.close(task.pk, by=lead, outcome="Prompt 3 asks for the log.")
    with pytest.raises(FeedbackNotFound):
        watching.close(task.pk, by=lead, outcome="again")
    assert watching.look({"assessor"}) == 0  # what was counted before counts no longer
    kinds = Event.objects.filter(kind__startswith="improvement.").order_by("id").values_list("kind", flat=True)
    assert list(kinds) == ["improvement.opened", "improvement.closed"]


@pytest.mark.parametrize(("failed", "opened"), [(2, 0), (3, 1)])  # 5.0 % is not more than 5 %
def test_look_opens_a_task_for_a_tool_that_fails(failed, opened):
    for decision, calls in (("allowed", 40 - failed), ("failed", failed), ("denied", 500)):
        now = timezone.now()
        ToolUse.objects.create(agent="a", tool="mail", decision=decision, hour=now, last_at=now, calls=calls, code="x")

    assert watching.look(()) == opened
    assert watching.look(()) == 0
    assert Improvement.objects.filter(kind="tool_errors", subject="mail").count() == opened


def test_corrections_are_judged_exported_and_put_into_a_draft_that_waits_for_review(decided, ana):
    gate = decided("edit", causes=("prompt_gap",))
    used_prompt(gate, "greeting@1")
    Gate.objects.update(opened_at=timezone.now() + timedelta(seconds=1))
    decided("reject")
    learn()
    writer = people.person("dev", DEVELOPER)
    version = prompts.create(
        name="greeting", title="G", by=writer, text=prompts.Text("Hi {{ text }}", [{"name": "text", "sample": "x"}])
    )
    PromptVersion.objects.filter(pk=version.pk).update(status="published")
    lesson = Lesson.objects.get(verdict="edit")
    assert lesson.prompt == "greeting@1"

    with pytest.raises(NotPermitted):
        examples.choose(lesson.pk, by=ana, accepted=True)
    with pytest.raises(FeedbackRefused):
        examples.draft("greeting", by=writer)
    examples.choose(lesson.pk, by=writer, accepted=True)
    draft = examples.draft("greeting", by=writer)

    assert (draft.number, draft.status) == (2, "draft")  # nothing is published by this
    assert json.dumps(EDITED["summary"]) in draft.template
    lesson.refresh_from_db()
    assert lesson.used_in == "greeting@2"
    body = examples.export(writer, examples.corrections(writer).order_by("pk"))
    assert len(body.splitlines()) == 2
    case = read_jsonl(body).cases[0]
    assert (case.input, case.expected, case.tags) == (people.GIVEN, EDITED, ("correction", "edit", "prompt_gap"))
    assert (case.provenance["reason"], case.provenance["output"]) == ("Cite the log.", people.PROPOSAL)


def test_export_is_for_whoever_may_edit_quality(decided, ana):
    decided("edit")
    learn()

    with pytest.raises(NotPermitted):
        examples.export(ana, examples.corrections(ana))
    with pytest.raises(NotPermitted):
        examples.draft("greeting", by=ana)


def test_patterns_count_what_stood_and_name_nobody(decided, ana):
    for verdict in ("approve", "approve", "edit", "reject"):
        decided(verdict, causes=() if verdict == "approve" else ("wrong_facts",))
    learn()
    manager = people.person("max", "Workflow Orchestration Manager")

    found = patterns.patterns(manager, patterns.Wanted.of({"days": "30"}), aggregates=True)

    assert (found.total.n, found.total.stood) == (4, 2)
    assert [(row.name, row.n, row.wrong) for row in found.agents] == [("assessor", 4, 2)]
    assert [(row.key, row.count) for row in found.causes] == [("wrong_facts", 2)]
    assert (found.people.shown, found.people.mine) == (False, None)  # one person is no group
    mine = patterns.patterns(ana, patterns.Wanted.of({}), aggregates=False)
    assert (mine.people.mine.n, mine.people.count) == (4, 0)
    counted = patterns.lessons(manager, patterns.Wanted.of({"cause": "wrong_facts", "verdict": "changed"}))
    assert counted.count() == 2
    stranger = people.person("sam", "Reviewer", decides=people.queue("elsewhere"))
    assert patterns.patterns(stranger, patterns.Wanted.of({}), aggregates=False).total.n == 0
    topics = retrospective.retrospective(manager, 14).topics
    assert [(topic.key, topic.count, topic.before) for topic in topics] == [("wrong_facts", 2, 0)]


class TestRetrospectives:
    """What a team concluded is kept with the figures of that moment, for those who see what they count."""

    def test_figures_stay_as_they_were_and_are_shown_to_those_who_see_the_same_runs(self, decided):
        manager, auditor = people.person("mia", "Workflow Orchestration Manager"), people.person("uma", "Auditor")
        outsider = people.person("otto", "Reviewer", decides=people.queue("elsewhere"))
        decided("reject", causes=("wrong_facts",))
        learn()

        made = retrospective.hold(by=manager, days=14, title=" May \n talk ", concluded="Ask for the log.")
        decided("reject", causes=("wrong_facts",))
        learn()

        kept = retrospective.held(auditor)
        assert [one.pk for one in kept] == [made.pk]
        assert (kept[0].title, kept[0].figures["changed"], kept[0].figures["topics"]) == (
            "May talk", 1, [{"key": "wrong_facts", "count": 1, "before": 0}],
        )  # fmt: skip
        assert retrospective.retrospective(manager, 14).changed == 2
        assert retrospective.held(outsider) == []
        assert Event.objects.get(kind="retrospective.held").actor == "user:mia"

    def test_without_words_or_without_the_right_nothing_is_kept(self):
        manager = people.person("mia", "Workflow Orchestration Manager")
        with pytest.raises(FeedbackRefused):
            retrospective.hold(by=manager, days=14, title="May", concluded=" ")
        with pytest.raises(NotPermitted):
            retrospective.hold(by=people.person("uma", "Auditor"), days=14, title="May", concluded="x")
        assert not Retro.objects.exists()
