"""One field of one gate changes in a definition's text, and no other character."""

import pytest
import yaml

from approvals.errors import EditImpossible
from approvals.feedback.editing import with_gate

BLOCK = """# kept: a comment
metadata: {name: a, title: "Ä – B"}   # odd   spacing
steps:
  - key: assess
    type: automated
    gate:
      when: >-
        confidence < 0.8
        || output.x == 'a'
      queue: oncall   # people
  - key: together
    type: parallel
    steps:
      - {key: flow, type: automated, gate: {when: "confidence < 0.9", queue: oncall}}
  - key: sign
    type: approval
    subject: assess
    queue: oncall
"""


@pytest.mark.parametrize(
    ("step", "change"),
    [
        ("assess", {"when": "confidence < 0.7"}),
        ("assess", {"when": 'x in ["low"]', "sample": 0.1}),
        ("flow", {"sample": 0.25, "queue": "lead"}),
        ("sign", {"when": "false", "sample": 0.1}),
    ],
)
def test_with_gate_sets_the_fields_and_leaves_all_else(step, change):
    before, text = yaml.safe_load(BLOCK), with_gate(BLOCK, step, change)

    after = yaml.safe_load(text)

    places = {"assess": (0, "gate"), "flow": (1, "steps"), "sign": (2, None)}
    at, inside = places[step]
    target = before["steps"][at] if inside is None else before["steps"][at][inside]
    target = target[0]["gate"] if isinstance(target, list) else target
    target.update(change)
    assert after == before
    assert text.startswith("# kept: a comment\n")
    assert text.count("# people") == 1


def test_with_gate_of_json_stays_json():
    import json

    text = json.dumps({"steps": [{"key": "a", "type": "automated", "gate": {"when": "true", "queue": "q"}}]})

    found = json.loads(with_gate(text, "a", {"when": "confidence < 0.5", "sample": 0.1}))

    assert found["steps"][0]["gate"] == {"when": "confidence < 0.5", "sample": 0.1, "queue": "q"}


@pytest.mark.parametrize(
    ("text", "step"), [(BLOCK, "nowhere"), ("steps: [", "a"), ("", "a"), ("steps: [{key: a}]", "a")]
)
def test_with_gate_where_nothing_can_be_set_says_so(text, step):
    with pytest.raises(EditImpossible):
        with_gate(text, step, {"when": "true"})
