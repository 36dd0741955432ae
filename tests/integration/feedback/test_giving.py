"""Feedback of colleagues, of anybody through a link, receipts, and a person who is asked for."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from approvals import services
from approvals.errors import FeedbackNotFound, FeedbackRefused, FeedbackTooOften, NotPermitted
from approvals.feedback import giving, links, survey
from approvals.feedback.giving import Said
from approvals.feedback.models import Feedback, FeedbackLink
from approvals.models import Gate
from orchestrator.models import Event, Task
from tests import people

pytestmark = pytest.mark.django_db
MANAGER = "Workflow Orchestration Manager"
HOSTILE = "<script>alert(1)</script> \u202eevil {{ x }}"


@pytest.fixture
def max_(db):
    return people.person("max", MANAGER)


@pytest.fixture
def link(max_):
    run = people.run(by=max_)
    return links.make(run_id=run.pk, by=max_, about="Your refund", queue=people.queue().name)


def test_give_links_it_to_what_it_is_about_and_answers_reach_the_receipt(max_, ana):
    run = people.run()
    made, secret = giving.give(giving.about(max_, run=run.pk), Said(2, "Too slow", ("unclear_task",)), by=max_)

    assert (made.workflow, made.sentiment, made.status) == (run.workflow, "negative", "open")
    assert secret not in str(Feedback.objects.values()[0])
    with pytest.raises(FeedbackNotFound):
        giving.about(ana, run=run.pk)
    with pytest.raises(FeedbackRefused):
        giving.give(giving.about(max_, run=run.pk), Said(), by=max_)
    lead = people.person("lena", "Quality Assurance Lead")
    with pytest.raises(NotPermitted):
        giving.answer(made.pk, by=max_, status="dealt", text="ok")
    with pytest.raises(FeedbackRefused):
        giving.answer(made.pk, by=lead, status="changed", text="ok")
    giving.answer(made.pk, by=lead, status="changed", text="A shorter prompt.", version="prompt labels@4")
    page = Client().get(f"/feedback/{secret}/")
    assert page.status_code == 200
    assert "prompt labels@4" in page.text
    assert "Lena" not in page.text


def test_form_for_anybody_discloses_the_ai_escapes_what_is_sent_and_shows_nothing_of_the_run(link, max_):
    _made, secret = link
    client = Client(enforce_csrf_checks=True)
    page = client.get(f"/feedback/form/{secret}/")
    assert "An AI system worked on this" in page.text
    assert "fin-db-02" not in page.text
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert client.post(f"/feedback/form/{secret}/", {"rating": "1"}).status_code == 403  # forged

    token = client.cookies["csrftoken"].value
    sent = client.post(f"/feedback/form/{secret}/", {"rating": "1", "comment": HOSTILE, "csrfmiddlewaretoken": token})
    receipt = client.get(sent.headers["Location"])
    for shown in (receipt.text, _signed_in(max_).get("/feedback/").text):
        assert "<script>alert" not in shown
        assert "&lt;script&gt;" in shown


def test_link_over_revoked_or_mistyped_opens_nothing(link, max_, ana):
    made, secret = link
    assert Client().get(f"/feedback/form/{'a' * 43}/").status_code == 404
    assert Client().get(f"/feedback/{'a' * 43}/").status_code == 404
    with pytest.raises(FeedbackNotFound):
        links.revoke(made.pk, by=ana)
    links.revoke(made.pk, by=max_)
    assert Client().get(f"/feedback/form/{secret}/").status_code == 404
    FeedbackLink.objects.update(revoked_at=None, expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(FeedbackNotFound):
        giving.receive(secret, Said(1), sender="1.2.3.4")


def test_receive_is_bounded_by_sender_by_link_and_by_size(link):
    _made, secret = link
    for _ in range(giving.SENDER_MOST):
        giving.receive(secret, Said(4), sender="1.2.3.4")
    with pytest.raises(FeedbackTooOften):
        giving.receive(secret, Said(4), sender="1.2.3.4")
    Feedback.objects.update(sender="other")
    for number in range(giving.LINK_HOUR - giving.SENDER_MOST):
        giving.receive(secret, Said(4), sender=f"10.0.0.{number}")
    with pytest.raises(FeedbackTooOften):
        giving.receive(secret, Said(4), sender="9.9.9.9")
    with pytest.raises(FeedbackRefused):
        giving.receive(secret, Said(4, "x" * 5001), sender="8.8.8.8")
    assert not Feedback.objects.filter(sender__contains=".").exists()  # no address is kept


def test_who_asks_for_a_person_is_put_before_people_and_reads_the_answer(link, ana):
    _made, secret = link
    asked, receipt = giving.receive(secret, Said(None, "Where is my money?", wants_person=True), sender="1.2.3.4")
    gate = Gate.objects.get(pk=asked.gate_id)
    assert (gate.kind, gate.task_id, gate.status, gate.queue.name) == ("request", None, "open", "oncall")
    assert "A person was asked" in Client().get(f"/feedback/{receipt}/").text

    page = _signed_in(ana).get(f"/inbox/{gate.pk}/")
    assert page.text.index("Where is my money?") < page.text.index("Your answer")  # first what they ask
    services.decide(gate_id=gate.pk, by=ana, verdict="complete", gate_version=1, edited={"reply": "On Monday."})

    told = Client().get(f"/feedback/{receipt}/").text
    assert "On Monday." in told
    assert "Ana" not in told
    for number in range(4):
        giving.receive(secret, Said(None, "hello?", wants_person=True), sender=f"10.0.0.{number}")
    assert Gate.objects.filter(status="open").count() == 3
    assert Event.objects.filter(kind="feedback.given").count() == 5


def test_survey_counts_one_answer_a_person_and_month(max_, ana):
    survey.answer(by=max_, score=4)
    survey.answer(by=max_, score=8)
    survey.answer(by=ana, score=10)

    month = survey.months()[0]
    assert (month.n, month.mean) == (2, 9.0)
    with pytest.raises(FeedbackRefused):
        survey.answer(by=ana, score=11)


def _signed_in(user):
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_link_about_one_step_is_made_on_the_page_and_what_comes_of_it_is_about_that_step(max_):
    people.queue()
    run = people.run(by=max_)
    browser = _signed_in(max_)
    task = Task.objects.of_run(run.pk).order_by("id").first()
    assert task is not None

    page = browser.get(f"/feedback/links/?run={run.pk}&task={task.pk}")
    assert f'<option value="{task.pk}" selected>' in page.text
    made = browser.post(
        f"/feedback/links/?run={run.pk}", {"about": "Your refund", "queue": "oncall", "days": "3", "task": task.pk}
    )

    link = FeedbackLink.objects.get(task_id=task.pk)
    assert task.key in made.text
    secret = made.text.split("/feedback/form/")[1].split("/")[0]
    given, _receipt = giving.receive(secret, Said(2, "Too late"), sender="1.2.3.4")
    assert (given.task_id, given.link) == (task.pk, link)
