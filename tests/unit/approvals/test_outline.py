"""Stored values laid out for reading: nothing may be left out of what a person approves."""

from agents.types import Json
from approvals import outline, risk

ACTION: dict[str, Json] = {
    "incident": "INC-1",
    "operation": "release_plan",
    "empty": [],
    "hosts": ["a", "b"],
    "actions": [
        {"title": "Isolate", "score": 0.9, "kind": "containment", "arguments": {"target": "db"}, "reversible": False},
        {"kind": "monitoring", "reversible": True},
    ],
}


def test_outline_says_the_operation_first_and_every_leaf() -> None:
    found = outline.outline(ACTION)

    assert [(fact.name, fact.value) for fact in found.facts] == [
        ("Operation", "release_plan"), ("Incident", "INC-1"), ("Empty", "–"), ("Hosts", "a, b"),
    ]  # fmt: skip
    [(name, items)] = found.lists
    assert (name, [item.heading for item in items]) == ("Actions", ["Isolate", ""])
    assert [(fact.name, fact.value) for fact in items[0].facts] == [
        ("Kind", "containment"), ("Target", "db"), ("Reversible", "no"), ("Score", 0.9),
    ]  # fmt: skip


def test_table_has_a_column_for_every_name_and_says_first_what_a_row_is() -> None:
    found = outline.table(({"cost": "low", "option": "Watch"}, {"option": "Block", "side_effect": "pages"}))

    assert found.columns == ("Option", "Cost", "Side effect")
    values = [[cell.value for cell in row] for row in found.rows]
    assert values == [["Watch", "low", None], ["Block", None, "pages"]]


def test_count_of_looks_at_every_depth() -> None:
    assert risk.count_of(ACTION, "reversible", False) == 1
    assert risk.count_of({"a": {"b": [{"kind": "containment"}]}}, "kind", "containment") == 1


def test_listing_says_once_what_all_items_say_and_leaves_nothing_out() -> None:
    [(name, items)] = outline.outline(
        {"actions": [
            {"title": "Isolate", "target": "db", "reversible": False},
            {"title": "Watch", "target": "db", "reversible": True},
        ]}
    ).lists  # fmt: skip

    found = outline.listing(name, items)

    assert [(fact.name, fact.value) for fact in found.shared] == [("Target", "db")]
    assert [(item.heading, [fact.value for fact in item.facts]) for item in found.items] == [
        ("Isolate", ["no"]), ("Watch", ["yes"]),
    ]  # fmt: skip


def test_listing_of_one_item_keeps_its_facts() -> None:
    [(name, items)] = outline.outline({"actions": [{"title": "Isolate", "target": "db"}]}).lists

    assert outline.listing(name, items).items == items
    assert outline.listing(name, items).shared == ()


def test_table_takes_out_a_column_that_is_the_same_in_every_row_but_not_one_that_only_looks_so() -> None:
    found = outline.table(
        ({"option": "Watch", "note": "as ranked", "final": True}, {"option": "Block", "note": "as ranked", "final": 1})
    )

    assert found.columns == ("Option", "Final")
    assert [(fact.name, fact.value) for fact in found.shared] == [("Note", "as ranked")]
