"""Sentences, numbers, conditions and turns of alerts: what needs no database."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.answerable import turns
from monitoring.alerts import rules, runbooks, runs, shipped, wording
from monitoring.alerts.errors import RuleRefused
from monitoring.alerts.inputs import SCOPES
from monitoring.models import AlertRule, Rotation

HOUR_MS = 3_600_000
START = datetime(2026, 11, 29, 8, tzinfo=UTC)


def shipped_rule(name: str) -> AlertRule:
    found = shipped.find(name)
    assert found is not None
    return shipped.rule_of(found)


def run(ms: int = 0, *, status: str = "running", total: int = 100, failed: int = 0) -> runs.Seen:
    return runs.values(
        1, status, workflow="incident", started=START, ended=START + timedelta(milliseconds=ms),
        counts=(total, 0, failed),
    )  # fmt: skip


def test_sentence_says_how_many_of_how_many_and_what_is_usual():
    data = {
        "values": {"tool_calls": 40, "tool_errors": 12}, "usual": {"errors": 1}, "about": "search_web", "window": 10,
    }  # fmt: skip

    said = wording.message(shipped_rule("tool-errors"), data)

    assert said == "Tool search_web failed 12 of 40 calls in 10 min; usual: 1"


def test_sentence_leaves_out_what_is_not_known_to_be_usual():
    data = {"values": {"tool_calls": 40, "tool_errors": 12}, "about": "search_web", "window": 10}

    assert wording.message(shipped_rule("tool-errors"), data).endswith("in 10 min")


def test_own_rule_names_the_numbers_that_it_looks_at():
    rule = AlertRule(name="mine", title="Costs too much", scope="agent")
    data = {"values": {"cost": 12.5, "calls": 3}, "named": ["cost"], "about": "Writer"}

    assert wording.message(rule, data) == "Costs too much: Writer (cost $12.50)"


def test_missed_targets_are_told_as_exactly_as_they_differ():
    values = {
        "accuracy": 0.9992, "accuracy_target": 0.9995, "success_share": 0.99, "success_target": 0.98,
        "p95_ms": 2500.0, "p95_target_ms": 1000.0,
    }  # fmt: skip

    said = wording.message(shipped_rule("missed-targets"), {"values": values, "about": "Writer"})

    assert said == (
        "Agent Writer misses what is asked of it: accuracy 99.92 % instead of 99.95 %, "
        "95 of 100 calls within 2.5 s instead of 1 s"
    )


@pytest.mark.parametrize("name", [one.name for one in shipped.RULES])
def test_every_shipped_rule_is_allowed_has_a_runbook_and_a_sentence(name):
    rule = shipped_rule(name)
    rules.check_condition(rule.scope, rule.condition)

    assert runbooks.find(rule.runbook) is not None
    said = wording.message(rule, {"values": dict(SCOPES[rule.scope].values({})), "about": "Thing", "window": 10})
    assert said
    assert "%" not in said.replace(" %", "")


@pytest.mark.parametrize(("ms", "fires"), [(HOUR_MS, False), (HOUR_MS + 1, True)])
def test_run_is_long_from_one_millisecond_past_the_hour(ms, fires):
    rule = shipped_rule("long-run")

    assert rules.holds(rule.condition, "run", run(ms).values) is fires


@pytest.mark.parametrize(("failed", "fires"), [(10, False), (11, True)])
def test_failing_tasks_fire_at_eleven_percent_and_not_at_ten(failed, fires):
    rule = shipped_rule("failing-tasks")

    assert rules.holds(rule.condition, "run", run(failed=failed).values) is fires


@pytest.mark.parametrize(
    ("used", "fires"),
    [(0.79, []), (0.8, ["budget-80"]), (0.905, ["budget-80", "budget-10-left"]),
     (1.0, ["budget-80", "budget-10-left", "budget-used-up"])],
)  # fmt: skip
def test_budgets_warn_at_eighty_percent_below_ten_left_and_at_the_end(used, fires):
    values = SCOPES["budget"].values({"used": used})
    names = ("budget-80", "budget-10-left", "budget-used-up")

    assert [name for name in names if rules.holds(shipped_rule(name).condition, "budget", values)] == fires


@pytest.mark.parametrize(
    "condition",
    ["", "unknown > 1", "calls", "calls > 'a'", "calls >", "[1].map(a, [3].map(b, a)) == []", "calls > 1" + "0" * 500],
)
def test_condition_that_is_no_condition_is_refused(condition):
    with pytest.raises(RuleRefused):
        rules.check_condition("agent", condition)


@given(st.integers(0, 400 * 24), st.integers(1, 28), st.integers(1, 7), st.integers(0, 23))
def test_turns_follow_each_other_without_gap_or_overlap(hours, days, people, hour):
    rotation = Rotation(
        people=list(range(people)), days=days, hour=hour, zone="Europe/Berlin", starts_on=date(2026, 3, 1), minutes=5
    )
    moment = datetime(2026, 3, 2, tzinfo=UTC) + timedelta(hours=hours)

    place, starts, ends = turns.turn_at(rotation, moment)
    after, next_starts, _next_ends = turns.turn_at(rotation, ends)

    assert starts <= moment < ends == next_starts
    assert after == (place + 1) % people
    assert turns.turn_at(rotation, ends - timedelta(seconds=1))[0] == place


@pytest.mark.parametrize("book", runbooks.every().values(), ids=lambda book: book.name)
def test_shipped_runbooks_say_everything_in_both_languages(book):
    texts = [book.title, book.about, *book.success, *(step.title for step in book.steps)]
    texts += [part for one in (*book.contacts, *book.templates) for part in one.values()]

    assert book.success
    assert book.contacts
    assert len({step.key for step in book.steps}) == len(book.steps)
    assert [text for text in texts if isinstance(text, str) or not {"en", "de"} <= text.keys()] == []


@pytest.mark.parametrize("name", ["token-surge", "tool-failure", "guardrail-breach", "agent-failure"])
def test_each_runbook_has_contacts_texts_success_and_steps_that_override_or_lead_there(name):
    book = runbooks.find(name)

    assert book is not None
    assert book.contacts
    assert book.templates
    assert len(book.success) >= 2
    assert any(step.act for step in book.steps)
    for text in (book.title, book.about, *book.success, *(step.title for step in book.steps)):
        assert not isinstance(text, str)
        assert text["en"]
        assert text["de"]
