"""Agreement, planted faults, plausible times and addresses of push services, as pure functions."""

import json

import pytest

from approvals.able import agreement, cases, figures, measures
from approvals.errors import ChannelRefused
from approvals.notices import push

# Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", section A: binary data, two observers.
FIRST = "0100000010"
SECOND = "1110010000"


def test_alpha_is_that_of_the_published_example():
    names = {"0": "accept", "1": "refuse"}
    pairs = [(names[a], names[b]) for a, b in zip(FIRST, SECOND, strict=True)]

    assert agreement.alpha(pairs) == pytest.approx(0.095, abs=0.001)
    assert agreement.alpha([("accept", "accept"), ("refuse", "refuse")]) == pytest.approx(1.0)
    assert agreement.alpha([("accept", "accept")] * 20) is None  # undefined, not perfect
    assert agreement.words(0.9, agreement.FEWEST - 1) == "too few to say"


@pytest.fixture(autouse=True)
def key(settings):
    settings.DATA_KEYS = ["k" * 43 + "="]


def test_planted_fault_contradicts_what_the_card_shows():
    subject = {
        "proposal": {"host": "fin-db-02", "note": "no number"},
        "action": {"isolate": "fin-db-02"},
        "input": {"host": "fin-db-02"},
        "evidence": [],
    }

    changed, why = cases.plant(subject, 1)

    assert changed["proposal"]["host"] == changed["action"]["isolate"] == "fin-db-03"
    assert changed["input"] == subject["input"]
    assert "fin-db-02" in why
    assert "fin-db-03" in why
    assert cases.plant({**subject, "input": {"host": "elsewhere"}}, 1) is None  # nobody could find it


@pytest.mark.parametrize(
    ("claimed", "passed", "counted"),
    [(5, 5.2, 5), (5, 0.1, 0), (3600, 5.0, 5), (3600, 1e6, 30), (-5, 60.0, 0), (9, 60.0, 5)],
)
def test_seconds_are_counted_as_far_as_they_can_be_true(claimed, passed, counted):
    assert measures.plausible(claimed, passed) == counted


def test_share_has_the_interval_of_wilson():
    low, high = figures.Rate(8, 10).interval

    assert (low, high) == (pytest.approx(0.490, abs=0.001), pytest.approx(0.943, abs=0.001))
    assert figures.Rate(0, 0).interval == (0.0, 1.0)


@pytest.mark.parametrize(
    ("endpoint", "is_service"),
    [
        ("https://fcm.googleapis.com/fcm/send/x", True),
        ("https://updates.push.services.mozilla.com/wpush/v2/x", True),
        ("https://wns2-by3p.notify.windows.com/w/?token=x", True),
        ("http://fcm.googleapis.com/fcm/send/x", False),
        ("https://fcm.googleapis.com:8443/x", False),
        ("https://fcm.googleapis.com@127.0.0.1/x", False),
        ("https://fcm.googleapis.com.evil.example/x", False),
        ("https://evilnotify.windows.com/x", False),
        ("https://169.254.169.254/latest", False),
        ("https://[::ffff:127.0.0.1]/x", False),
        ("https://fcm.googleapis.com\\@127.0.0.1/x", False),
        ("file:///etc/passwd", False),
        ("https://127.0.0.1:9/x", False),
    ],
)
def test_only_push_services_are_sent_to(endpoint, is_service):
    keys = {"p256dh": "B" + "A" * 86, "auth": "A" * 22}
    text = json.dumps({"endpoint": endpoint, "keys": keys})

    if is_service:
        assert push.read(text).endpoint == endpoint
    else:
        with pytest.raises(ChannelRefused):
            push.read(text)
