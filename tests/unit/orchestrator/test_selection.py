"""Choosing an agent, by rule."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.definitions.plan import Selection
from orchestrator.selection import Candidate, choose

WANTED = Selection(capability="read", tags=("law", "tax"))


def one(name: str, **facts: object) -> Candidate:
    return replace(Candidate(id=hash(name), name=name, capabilities=("read",)), **facts)  # type: ignore[arg-type]


def name_of(wanted: Selection, *found: Candidate, **how: str) -> str:
    choice = choose(wanted, found, **how)
    return choice.agent.name if choice.agent else ""


def test_choose_takes_whoever_knows_more_of_the_wanted_domains():
    found = (one("a", tags=("law",)), one("b", tags=("law", "tax")), one("c"))

    assert name_of(WANTED, *found) == "b"
    assert "2 of 2 tags" in choose(WANTED, found).reason


def test_choose_prefers_room_then_reliable_then_cheap_agents():
    assert name_of(WANTED, one("a", at_once=10, running=9), one("b", at_once=10, running=1)) == "b"
    assert name_of(WANTED, one("a", failures=0.5), one("b")) == "b"
    assert name_of(WANTED, one("a", cost=0.2), one("b", cost=0.1)) == "b"


def test_choose_gives_equals_equally_many():
    given_so_far = dict.fromkeys("abc", 0)
    for _ in range(300):
        given_so_far[name_of(WANTED, *(one(name, given=count) for name, count in given_so_far.items()))] += 1

    assert set(given_so_far.values()) == {100}


def test_choose_says_why_each_of_the_others_is_out():
    found = (
        one("able"),
        one("unable", capabilities=("write",)),
        one("stopped", away="it is stopped"),
        one("full", at_once=1, running=1),
        one("powerless", authority=("other",)),
    )

    told = dict(choose(WANTED, found, category="read").candidates)

    assert told["unable"] == "cannot read"
    assert told["stopped"] == "it is stopped"
    assert told["full"] == "has no place: 1 of 1"
    assert told["powerless"] == "has no authority for read"


def test_choose_moves_away_from_an_agent_that_failed_unless_it_alone_is_left():
    assert name_of(WANTED, one("a", tags=("law", "tax")), one("b"), avoid="a") == "b"
    assert name_of(WANTED, one("a"), one("b", away="it is stopped"), avoid="a") == "a"
    assert name_of(WANTED, one("a"), one("b", failures=0.1), keep="b") == "b"


def test_choose_queues_where_all_are_full_and_waits_where_none_is_there():
    queued = choose(WANTED, (one("a", at_once=1, running=1, queued=3), one("b", at_once=1, running=1)))
    gone = choose(WANTED, (one("a", away="it is stopped"),))
    nobody = choose(WANTED, (one("a", capabilities=()),))

    assert queued.agent is not None
    assert (queued.agent.name, queued.waits) == ("b", True)
    assert (gone.agent, gone.able) == (None, True)
    assert (nobody.agent, nobody.able) == (None, False)


AGENTS = st.lists(
    st.builds(
        Candidate,
        id=st.integers(1, 9),
        name=st.sampled_from("abcdef"),
        capabilities=st.sampled_from([(), ("read",), ("read", "write")]),
        tags=st.sampled_from([(), ("law",), ("law", "tax")]),
        authority=st.sampled_from([None, (), ("read",)]),
        at_once=st.sampled_from([None, 1, 3]),
        running=st.integers(0, 4),
        failures=st.floats(0, 1),
        cost=st.floats(0, 10),
        given=st.integers(0, 100),
        away=st.sampled_from(["", "it is stopped"]),
    ),
    unique_by=lambda candidate: candidate.name,
)


@given(AGENTS, st.sampled_from(["", "a", "b"]), st.sampled_from(["", "read"]))
def test_choose_never_takes_one_that_is_unable_away_or_full(found, avoid, category):
    choice = choose(WANTED, found, avoid=avoid, category=category)

    assert [name for name, _ in choice.candidates] == [candidate.name for candidate in found]
    if choice.agent is not None:
        assert "read" in choice.agent.capabilities
        assert not choice.agent.away
        assert choice.waits == choice.agent.is_saturated
        assert category == "" or choice.agent.authority is None or category in choice.agent.authority
