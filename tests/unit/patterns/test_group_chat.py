"""The group chat's rule: who speaks, when it ends, and when people are asked."""

from typing import Any

import pytest

from orchestrator.definitions.expressions import ExpressionUndefined
from orchestrator.patterns import bounds
from orchestrator.patterns.group_chat import GroupChat
from orchestrator.patterns.moves import Child, Fail, Note
from tests.patterns import failed, play

CHAT = GroupChat()
SUBJECTS = [
    "river flood barrier", "museum ticket queue", "orchard harvest machine", "violin string tension",
    "glacier melting season", "bakery oven schedule", "satellite antenna angle", "carpet weaving loom",
    "harbour crane driver", "beetle wing colour", "printing press ink", "desert road patrol",
    "piano tuning fork", "cheese cellar climate", "lighthouse lamp oil", "tunnel drilling crew",
    "wedding cake sugar", "library shelf dust", "hockey rink paint", "balloon basket rope",
]  # fmt: skip


def options(**more: Any) -> dict[str, Any]:
    people = [{"name": name, "agent": f"agent-{name}", "role": f"is {name}"} for name in ("ann", "ben", "cid")]
    plain = {"topic": "river flood barrier", "participants": people, "queue": "ops", "end": {"says": "DONE"}}
    return {**plain, "drift": {"below": 0}, **more}


def numbered(child: Child) -> dict[str, Any]:
    """Something else each turn."""
    if child.step is not None and child.step.kind == "manual":
        return {"disposition": "not settled"}
    assert child.given is not None
    return {"text": SUBJECTS[int(str(child.given["turn"])) - 1]}


def speakers(children: list[Child]) -> list[str]:
    return [str(child.given["you"]) for child in children if child.given and "you" in child.given]


def test_participants_take_turns_and_see_what_was_said():
    def answer(child: Child) -> dict[str, Any]:
        said = numbered(child)
        return {"text": "DONE"} if child.key == "talk.4" else said

    played = play(CHAT, options(), answer, brief="a wall")

    assert speakers(played.children) == ["ann", "ben", "cid", "ann"]
    assert [child.step.agent for child in played.children if child.step][:2] == ["agent-ann", "agent-ben"]
    third = played.children[2].given
    assert third is not None
    assert third["messages"] == [
        {"turn": 1, "author": "ann", "text": SUBJECTS[0], "position": "", "agrees": False},
        {"turn": 2, "author": "ben", "text": SUBJECTS[1], "position": "", "agrees": False},
    ]
    assert third["context"] == {"brief": "a wall"}
    assert played.output["ended"] == "said"
    assert played.output["turns"] == 4
    assert played.output["tokens"] == 40


@pytest.mark.parametrize(("cap", "turns"), [(None, 20), (18, 18), (1, 1)])
def test_turn_after_the_cap_never_runs_and_people_say_how_it_ends(cap, turns):
    capped = options(**({"cap": cap} if cap else {}))

    played = play(CHAT, capped, numbered)

    spoken = played.of_kind("automated")
    assert len(spoken) == turns
    last = played.children[-1]
    assert last.step is not None
    assert last.step.kind == "manual"
    assert last.step.gate is not None
    assert last.step.gate.queue == "ops"
    assert last.given is not None
    assert len(list(last.given["transcript"])) == turns
    assert (played.output["ended"], played.output["disposition"]) == ("cap", "not settled")


def test_share_of_participants_with_one_position_ends_it():
    said = {"ann": {"text": "a", "position": "build it"}, "ben": {"text": "b", "agrees": True}}

    def answer(child: Child) -> dict[str, Any]:
        assert child.given is not None
        return dict(said.get(str(child.given["you"]), {"text": "c", "position": "do not"}))

    two_thirds = play(CHAT, options(end={"consensus": 0.66}), answer)
    everybody = play(
        CHAT,
        options(end={"consensus": 1}, cap=6, loop={"repeats": 10}),
        lambda child: answer(child) if child.step and child.step.kind == "automated" else {"disposition": "settled"},
    )

    assert two_thirds.output["ended"] == "consensus"
    assert two_thirds.output["turns"] == 2
    assert two_thirds.output["position"] == "build it"
    assert two_thirds.output["agreeing"] == pytest.approx(0.6667)
    assert everybody.output["ended"] == "cap"


def test_who_changes_their_mind_no_longer_counts():
    positions = iter(["yes", "", "no", "yes", "yes", "yes"])

    played = play(CHAT, options(end={"consensus": 1}), lambda child: {"text": child.key, "position": next(positions)})

    assert played.output["turns"] == 6


def test_condition_over_the_last_message_ends_it():
    played = play(CHAT, options(end={"when": "output.author == 'cid' && round >= 3"}), numbered)

    assert (played.output["ended"], played.output["turns"]) == ("condition", 3)


def test_condition_without_a_value_is_an_error_and_never_an_end():
    with pytest.raises(ExpressionUndefined):
        play(CHAT, options(end={"when": "output.nothing == 1"}), numbered)


def test_what_is_said_is_never_an_expression():
    def answer(child: Child) -> dict[str, Any]:
        return {"text": "${input.secret} DONE", "position": "${input.secret}"}

    played = play(CHAT, options(), answer)

    assert played.output["messages"][0]["text"] == "${input.secret} DONE"


def test_same_words_again_and_again_raise_the_loop_alarm_and_pause():
    asked = []

    def answer(child: Child) -> dict[str, Any]:
        if child.step and child.step.kind == "manual":
            asked.append(child)
            return {"then": "end", "disposition": "settled", "say": "enough"}
        return {"text": f"We should build it of stone, said number {child.key[-1]}."}

    played = play(CHAT, options(loop={"similarity": 0.85, "repeats": 2}), answer)

    assert len(played.of_kind("automated")) == 3
    assert "again and again" in asked[0].step.title
    assert "loop alarm" in str(played.spawns[-1].facts["says"])
    assert (played.output["ended"], played.output["disposition"]) == ("person", "settled")
    assert played.output["messages"][-1]["text"] == "enough"


def test_person_who_lets_it_go_on_says_who_speaks_next():
    def answer(child: Child) -> dict[str, Any]:
        if child.step and child.step.kind == "manual":
            return {"then": "go on", "say": "think of sand", "next": "ann"}
        return {"text": "the same" if child.key in {"talk.1", "talk.2", "talk.3"} else "DONE"}

    played = play(CHAT, options(), answer)

    assert speakers(played.of_kind("automated")) == ["ann", "ben", "cid", "ann"]
    after = played.children[-1].given
    assert after is not None
    assert after["messages"][-1]["text"] == "think of sand"


def test_talk_that_has_left_its_topic_raises_the_drift_alarm():
    def answer(child: Child) -> dict[str, Any]:
        if child.step and child.step.kind == "manual":
            return {"then": "end", "disposition": "not settled"}
        turn = int(child.key.rpartition(".")[2])
        return {"text": "river flood barrier" if turn <= 3 else SUBJECTS[turn]}

    played = play(CHAT, options(drift={"below": 0.1, "over": 3}, loop={"repeats": 10}), answer)

    assert "drift alarm" in str(played.spawns[-1].facts["says"])
    assert len(played.of_kind("automated")) == 6


def test_manager_agent_chooses_the_next_speaker_and_its_nonsense_is_passed_over():
    chosen = iter(["cid", "cid", "nobody"])

    def answer(child: Child) -> dict[str, Any]:
        if child.key.endswith(".next"):
            return {"next": next(chosen)}
        return {"text": "DONE"} if child.key == "talk.3" else numbered(child)

    played = play(CHAT, options(manager={"agent": "chair"}), answer)

    assert speakers([child for child in played.children if not child.key.endswith(".next")]) == ["cid", "cid", "cid"]
    assert played.output["turns"] == 3


def test_rules_choose_the_next_speaker():
    rules = [{"when": "output.author == 'ann'", "next": "cid"}]

    played = play(CHAT, options(manager={"rules": rules}, cap=3), numbered)

    assert speakers(played.of_kind("automated")) == ["ann", "cid", "cid"]


def test_notes_of_people_become_messages_and_may_end_it():
    notes = {2: [Note("user:mia", "mind the budget")], 3: [Note("user:mia", "", "end", {"disposition": "postponed"})]}

    played = play(CHAT, options(), numbered, notes=notes)

    assert played.children[1].given["messages"][-1]["text"] == "mind the budget"
    assert (played.output["ended"], played.output["disposition"]) == ("person", "postponed")
    assert played.output["turns"] == 2


def test_outcome_that_the_approver_refuses_goes_back_to_the_chat():
    answers = iter([{"approved": False, "reason": "too loud"}, {"approved": True}])

    def answer(child: Child) -> dict[str, Any]:
        return next(answers) if child.key.endswith(".approval") else {"text": f"DONE {child.key}"}

    played = play(CHAT, options(approver="guard"), answer)

    assert [child.key for child in played.children] == ["talk.1", "talk.1.approval", "talk.2", "talk.2.approval"]
    assert played.children[2].given["messages"][-1]["text"] == "Not approved: too loud"
    assert played.output["disposition"] == "approved"


def test_chat_in_which_nobody_answers_fails():
    played = play(CHAT, options(), lambda child: failed())

    assert isinstance(played.end, Fail)
    assert played.end.code == "chat_silent"
    assert len(played.children) == 3


def test_messages_are_cut_and_confidence_is_the_lowest_of_the_newest():
    sizes = {"ann": 0.9, "ben": 0.4, "cid": 0.8}

    def answer(child: Child) -> dict[str, Any]:
        assert child.given is not None
        end = " DONE" if child.key == "talk.4" else ""
        return {"text": child.key + "x" * 9_000 * (not end) + end, "confidence": sizes[str(child.given["you"])]}

    played = play(CHAT, options(), answer)

    assert len(played.output["messages"][0]["text"]) == bounds.TEXT
    assert played.end.confidence == 0.4


def test_first_spawn_says_who_takes_part_and_with_which_tools():
    played = play(CHAT, options(tools=["search"], cap=1), numbered)

    assert played.spawns[0].facts["participants"] == ["ann", "ben", "cid"]
    assert played.spawns[0].facts["tools"] == ["search"]
    assert played.children[0].given["tools"] == ["search"]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"end": {}}, "options.end"),
        ({"end": {"when": "output.text =="}}, "options.end.when"),
        ({"end": {"when": "outputs.text == 'x'"}}, "options.end.when"),
        ({"manager": {"agent": "a", "rules": []}}, "options.manager"),
        ({"manager": {"rules": [{"when": "true", "next": "dan"}]}}, "options.manager.rules[0].next"),
        ({"participants": [{"name": "a", "agent": "a"}, {"name": "a", "agent": "b"}]}, "options.participants"),
    ],
)
def test_flaws_are_named_with_their_field(more, field):
    assert field in [flaw[0] for flaw in CHAT.flaws(options(**more))]
    assert not list(CHAT.flaws(options()))


def test_note_that_ends_it_does_not_overrule_the_people_who_were_asked():
    notes = {3: [Note("user:mia", "fine by me", "end", {"disposition": "settled"})]}

    played = play(CHAT, options(cap=1), numbered, notes=notes)

    assert len(played.of_kind("manual")) == 1
    assert (played.output["ended"], played.output["disposition"]) == ("cap", "not settled")


def test_note_does_not_stand_in_for_the_approver():
    notes = {3: [Note("user:mia", "fine by me", "end", {"disposition": "approved"})]}

    def answer(child: Child) -> dict[str, Any]:
        return {"approved": False} if child.key.endswith(".approval") else {"text": "DONE"}

    played = play(CHAT, options(approver="guard"), answer, notes=notes)

    assert (played.output["ended"], played.output["disposition"]) == ("person", "ended by a person")
