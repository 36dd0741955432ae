"""What leaves the product, to a real mail server and a real webhook: together, again after failures, no secrets."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client

from approvals import access
from approvals import services as approvals
from approvals.errors import ChannelNotFound, ChannelRefused, NotPermitted, TooManyChannels
from approvals.models import Channel, Delivery, Notice, Queue
from approvals.notices import composing, delivering, services, telling, ways
from orchestrator.models import Event
from tests import outlets, people
from tests.hands import seal

pytestmark = pytest.mark.django_db(transaction=True)
SECRET_KEY = "AKIA" + "IOSFODNN7EXAMPLQ"


@pytest.fixture(autouse=True)
def begun() -> None:
    telling.tell()


@pytest.fixture
def mail(settings):
    with outlets.mail_server() as box:
        options = {"host": "127.0.0.1", "port": box.port, "timeout": 5}
        settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}}
        settings.HAS_MAIL_SERVER = True
        yield box


@pytest.fixture
def hook(settings):
    with outlets.webhook() as found:
        settings.NOTICE_HOSTS = [found.host]
        yield found


def tell() -> int:
    seal()
    telling.tell()
    return delivering.deliver()


def later(seconds: float = 61) -> None:
    """As if so much time had passed for channels and what waits to leave by them."""
    past = Now() - timedelta(seconds=seconds)
    Channel.objects.update(next_at=past)
    Delivery.objects.filter(status="due").update(due_at=past)


def person(name: str = "ana") -> Any:
    return people.person(name, decides=people.queue(), email=f"{name}@example.org")


def by_mail(user: Any, **choice: Any) -> Channel:
    return services.add_channel(by=user, kind="email", **choice)


def by_hook(user: Any, hook: outlets.Hook, queue: Queue | None = None) -> Channel:
    return services.add_channel(by=user, kind="service", address=f"json://{hook.host}/alerts", queue=queue)


def test_mail_says_what_waits_and_where(mail, settings):
    settings.PUBLIC_URL = "https://watch.example.org"
    by_mail(person())
    gate = people.gate(title="Isolate host fin-db-02", risk="high")

    assert tell() == 1

    (sent,) = mail.mails
    body = sent.get_content()
    assert sent["To"] == "ana@example.org"
    assert sent["Subject"] == "[High] Isolate host fin-db-02 · Watchkeeper"
    assert f"https://watch.example.org/inbox/{gate.pk}/" in body
    assert "Waits for a decision in Oncall until" in body
    assert sent["Auto-Submitted"] == "auto-generated"


def test_what_comes_within_a_minute_goes_together(mail):
    by_mail(person())
    people.gate(title="First")
    assert tell() == 1
    for title in ("Second", "Third"):
        people.gate(title=title)

    assert tell() == 0  # the minute is not over
    later()
    assert delivering.deliver() == 1

    assert mail.mails[1]["Subject"] == "[Medium] 2 things for you · Watchkeeper"
    assert "Second" in mail.mails[1].get_content()
    assert "Third" in mail.mails[1].get_content()


def test_the_gravest_does_not_wait_for_the_minute_to_be_over(mail):
    by_mail(person())
    people.gate(title="First")
    tell()

    people.gate(title="Now", risk="critical")

    assert tell() == 1
    assert mail.mails[1]["Subject"].startswith("[Critical] ")


def test_agents_words_leave_disarmed(mail):
    by_mail(person())
    hostile = f"<!channel> see https://evil.example/?t=1 @here *now* key {SECRET_KEY} mail bob@example.com"
    people.gate(title=hostile)

    tell()

    subject = mail.mails[0]["Subject"]
    assert "evil.example" in subject
    assert not any(part in subject for part in ("<", ">", "://", "@", "*", SECRET_KEY, "bob"))
    body, _, _foot = mail.mails[0].get_content().partition("--")
    assert SECRET_KEY not in body
    assert body.count("://") == 1  # our own address


def test_title_in_many_lines_cannot_add_a_header(mail):
    by_mail(person())
    people.gate(title="Pay\r\nBcc: eve@example.org")

    tell()

    assert mail.mails[0]["Bcc"] is None
    assert mail.mails[0]["To"] == "ana@example.org"


def test_channel_without_titles_says_only_queue_and_risk(mail):
    by_mail(person(), says_titles=False)
    people.gate(title="Isolate host fin-db-02")

    tell()

    assert "fin-db-02" not in mail.mails[0].as_string()
    assert mail.mails[0]["Subject"].startswith("[Medium] Waits for a decision in Oncall")


def test_refused_mail_is_tried_again_later_each_time_and_arrives(mail):
    channel = by_mail(person())
    people.gate()
    mail.refusal = "451 later"
    tell()
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.attempts) == ("due", 1)
    assert "it answered 451" in delivery.problem
    assert delivering.deliver() == 0  # not at once

    mail.refusal = ""
    later()
    assert delivering.deliver() == 1

    delivery.refresh_from_db()
    channel.refresh_from_db()
    assert (delivery.status, delivery.attempts, channel.failures, channel.problem) == ("sent", 2, 0, "")
    assert len(mail.mails) == 1


def test_channel_that_takes_nothing_is_switched_off_and_its_owner_is_told(mail):
    ana = person()
    channel = by_mail(ana)
    people.gate()
    mail.refusal = "550 no such box"
    seal()
    telling.tell()
    for _ in range(ways.BROKEN_AFTER):
        assert delivering.deliver() == 1
        later()

    assert delivering.deliver() == 0
    told = Notice.objects.get(recipient=ana, kind="channel_broken")
    assert "ana@example.org is switched off" in composing.sentence(told)
    services.change_channel(by=ana, channel_id=channel.pk, least_risk="low", pace="at_once", says_titles=True)
    mail.refusal = ""
    assert delivering.deliver() == 1
    assert len(mail.mails) == 1


def test_mail_server_that_is_away_loses_nothing(settings, mail):
    by_mail(person())
    people.gate()
    options = settings.MAILERS["default"]["OPTIONS"]
    there, options["port"] = options["port"], 1
    tell()
    assert "did not take it" in Delivery.objects.get().problem

    options["port"] = there
    later()
    delivering.deliver()

    assert len(mail.mails) == 1


def test_message_lost_between_sending_and_noting_is_sent_again_with_the_same_id(mail, monkeypatch):
    by_mail(person())
    people.gate()
    with monkeypatch.context() as broken:
        broken.setattr(delivering, "_note", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            tell()
    later()
    delivering.deliver()

    first, second = mail.mails
    assert first["Message-ID"] == second["Message-ID"]
    assert Delivery.objects.get().status == "sent"


def test_webhook_of_a_queue_is_told_by_those_who_may_edit_queues(hook):
    cleo = people.person("cleo", "Human Oversight Coordinator")
    by_hook(cleo, hook, people.queue())
    people.gate(title="Isolate host")

    tell()

    (posted,) = hook.posted
    assert posted["title"] == "[Medium] Isolate host · Watchkeeper"
    assert "This channel belongs to the queue Oncall." in posted["message"]
    with pytest.raises(NotPermitted):
        by_hook(person(), hook, people.queue())


def test_redirects_are_not_followed(hook):
    ana = person()
    by_hook(ana, hook)
    hook.status, hook.location = 302, f"http://{hook.host}/inside"
    people.gate()

    tell()

    assert [set(one) for one in hook.posted] == [set(hook.posted[0])]
    assert "followed" not in hook.posted[0]
    assert Delivery.objects.get(channel__owner=ana).status == "due"


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("json://10.0.0.7/x", "10.0.0.7 is not among NOTICE_HOSTS"),
        ("json://{host}@evil.example/x", "evil.example is not among NOTICE_HOSTS"),
        ("json://127.0.0.1:1/x", "127.0.0.1:1 is not among NOTICE_HOSTS"),
        ("mailto://user:secret@example.org", "mailto:// is not among the services"),
        ("syslog://", "syslog:// is not among the services"),
        ("dbus://", "not"),
        ("exec:///bin/sh", "not an address"),
        ("https://example.org/hook", "write a webhook as jsons://"),
        ("file:///etc/passwd", "not an address"),
        ("", "not an address"),
        ("json://" + "x" * 1000, "more than 1,000 characters"),
    ],
)
def test_address_that_leads_where_nobody_allowed_is_refused(hook, address, problem):
    with pytest.raises(ChannelRefused, match=problem):
        services.add_channel(by=person(), kind="service", address=address.format(host=hook.host))
    assert not Channel.objects.exists()


def test_host_that_is_no_longer_allowed_is_not_posted_to(hook, settings):
    by_hook(person(), hook)
    settings.NOTICE_HOSTS = []
    people.gate()

    tell()

    assert hook.posted == []
    assert "not among NOTICE_HOSTS" in Delivery.objects.get().problem


def test_address_is_sealed_and_never_shown(hook):
    channel = services.add_channel(by=person(), kind="service", address=f"json://user:hush@{hook.host}/hidden-path")

    assert "hush" not in channel.sealed_address
    assert "hush" not in channel.name
    assert "hush" not in str(list(Event.objects.filter(kind="notice.channel_added").values_list("data", flat=True)))
    services.remove_channel(by=channel.owner, channel_id=channel.pk)
    channel.refresh_from_db()
    assert channel.sealed_address == ""


def test_only_its_owner_changes_a_channel(mail):
    channel = by_mail(person())
    bob = person("bob")
    for act in (
        lambda: services.remove_channel(by=bob, channel_id=channel.pk),
        lambda: services.test_channel(by=bob, channel_id=channel.pk),
        lambda: services.change_channel(
            by=bob, channel_id=channel.pk, least_risk="low", pace="daily", says_titles=True
        ),
    ):
        with pytest.raises(ChannelNotFound):
            act()
    assert mail.mails == []


def test_trial_message_says_whether_it_left(mail):
    ana = person()
    channel = by_mail(ana)
    assert services.test_channel(by=ana, channel_id=channel.pk) == ""
    assert mail.mails[0]["Subject"] == "Watchkeeper reaches you here"

    mail.refusal = "550 no"
    assert "it answered 550" in services.test_channel(by=ana, channel_id=channel.pk)


def test_who_left_is_not_told_any_more(mail):
    ana = person()
    by_mail(ana)
    people.gate()
    seal()
    telling.tell()
    type(ana).objects.filter(pk=ana.pk).update(is_active=False)

    assert delivering.deliver() == 0
    assert mail.mails == []


def test_channels_are_bounded(hook, monkeypatch):
    monkeypatch.setattr(services, "MOST_CHANNELS", 2)
    ana = person()
    by_hook(ana, hook)
    by_hook(ana, hook)
    with pytest.raises(TooManyChannels):
        by_hook(ana, hook)


def test_mail_goes_to_the_account_and_nowhere_else(mail):
    channel = services.add_channel(by=person(), kind="email", address="elsewhere@example.com")

    assert services.address_of(channel) == "ana@example.org"
    with pytest.raises(ChannelRefused, match="no e-mail address"):
        by_mail(people.person("bo", decides=people.queue()))


def test_old_notices_are_forgotten_with_their_deliveries(mail):
    ana = person()
    by_mail(ana)
    people.gate()
    tell()
    Notice.objects.update(created_at=Now() - services.KEPT - timedelta(days=1))

    assert services.forget_old() > 0
    assert not Delivery.objects.exists()
    assert services.forget_old() == 0


def test_decision_made_while_the_message_waits_takes_it_back(mail):
    ana = person()
    by_mail(ana, pace="daily")
    gate = people.gate()
    tell()
    approvals.decide(gate_id=gate.pk, by=ana, verdict="approve", gate_version=gate.version)
    tell()
    later()

    assert delivering.deliver() == 0
    assert mail.mails == []


def test_who_lost_the_right_to_see_it_hears_no_more_of_it(mail):
    ana = person()
    by_mail(ana, pace="daily")
    people.gate(title="Isolate host fin-db-02")
    tell()
    access.revoke(of=ana, permission="decide_gates", on=people.queue(), by=None)
    later()

    assert delivering.deliver() == 0
    assert mail.mails == []
    assert Delivery.objects.get().status == "withdrawn"


def test_mail_is_in_the_language_that_its_reader_chose_last_and_a_queues_channel_in_the_installations(
    mail, hook, settings
):
    ana = person()
    by_mail(ana)
    cleo = people.person("cleo", "Human Oversight Coordinator")
    by_hook(cleo, hook, queue=people.queue())
    browser = Client()
    browser.force_login(ana, backend="django.contrib.auth.backends.ModelBackend")
    browser.post("/language/", {"language": "de"})
    people.gate(title="Isolate host")
    tell()

    assert "Wartet auf eine Entscheidung in Oncall" in mail.mails[0].get_content()
    assert "Waits for a decision in Oncall" in str(hook.posted[0])
    settings.NOTICE_LANGUAGE = "de"
    later()
    people.gate(title="Isolate another")
    tell()
    assert "Wartet auf eine Entscheidung in Oncall" in str(hook.posted[1])
