"""The layout of plans: no overlaps, forward edges, folded families."""

from collections.abc import Callable

from orchestrator.definitions.graph import MAX_BOXES, MAX_SIBLINGS, Layout, layout
from orchestrator.definitions.plan import Plan

type Compile = Callable[[str], Plan]


def fan(width: int) -> str:
    steps = [f"{{key: s{n}, type: automated, agent: noop}}" for n in range(width)]
    ends = "{key: start, type: automated, agent: noop}, {key: stop, type: automated, agent: noop}"
    group = f"{{key: wide, type: parallel, steps: [{', '.join(steps)}]}}"
    return f"steps: [{ends}, {group}]\ndependencies: {{wide: [start], stop: [wide, start]}}"


def overlaps(drawn: Layout) -> bool:
    places = [(node.x, node.y) for node in drawn.nodes]
    return len(places) != len(set(places))


def test_layout_places_every_step_inside_and_apart(compiled: Compile) -> None:
    drawn = layout(compiled(fan(12)))

    assert len(drawn.nodes) == 14
    assert not overlaps(drawn)
    assert all(node.x >= 0 and node.x + node.w <= drawn.width for node in drawn.nodes)
    assert all(node.y >= 0 and node.y + node.h <= drawn.height for node in drawn.nodes)


def test_layout_draws_edges_to_the_right(compiled: Compile) -> None:
    drawn = layout(compiled(fan(12)))

    assert len(drawn.edges) == 25
    assert all(drawn.nodes[edge.source].x < drawn.nodes[edge.target].x for edge in drawn.edges)
    assert all(edge.path.startswith("M") for edge in drawn.edges)


def test_layout_folds_many_alike_into_one(compiled: Compile) -> None:
    plan = compiled(fan(MAX_SIBLINGS + 1))

    drawn = layout(plan)

    folded = [node for node in drawn.nodes if node.is_folded]
    assert [node.title for node in folded] == [f"Wide ×{MAX_SIBLINGS + 1}"]
    assert sorted(index for node in drawn.nodes for index in node.indexes) == [step.index for step in plan.steps]


def chain(length: int) -> str:
    noop, reader = "agent: noop", "agent: reader, inputs: {text: x}"
    steps = ", ".join(f"{{key: s{n}, type: automated, {noop if n % 25 else reader}}}" for n in range(length))
    waits = ", ".join(f"s{n}: [s{n - 1}]" for n in range(1, length))
    return f"steps: [{steps}]\ndependencies: {{{waits}}}"


def test_layout_of_a_chain_too_long_to_look_at_is_folded_into_stretches(compiled: Compile) -> None:
    plan = compiled(chain(1000))

    drawn = layout(plan)

    assert 2 < len(drawn.nodes) <= 40
    assert drawn.nodes[0].title == "S0 … ×25"
    assert len(drawn.edges) == len(drawn.nodes) - 1
    assert sorted(index for node in drawn.nodes for index in node.indexes) == [step.index for step in plan.steps]


def test_layout_of_too_many_groups_side_by_side_is_folded_group_by_group(compiled: Compile) -> None:
    each = MAX_SIBLINGS - 10
    groups = []
    for g in range(MAX_BOXES // each + 1):
        inner = ", ".join(f"{{key: g{g}s{n}, type: automated, agent: noop}}" for n in range(each))
        groups.append(f"{{key: g{g}, type: parallel, steps: [{inner}]}}")

    drawn = layout(compiled(f"steps: [{', '.join(groups)}]"))

    assert [len(node.indexes) for node in drawn.nodes] == [each] * len(groups)


def test_layout_keeps_parallel_chains_straight(compiled: Compile) -> None:
    chains = [f"{{key: {c}{n}, type: automated, agent: noop}}" for n in range(4) for c in "ab"]
    waits = ", ".join(f"{c}{n}: [{c}{n - 1}]" for n in range(1, 4) for c in "ab")

    drawn = layout(compiled(f"steps: [{', '.join(chains)}]\ndependencies: {{{waits}}}"))

    rows = {letter: {node.y for node in drawn.nodes if node.key[0] == letter} for letter in "ab"}
    assert all(len(row) == 1 for row in rows.values())


def test_layout_of_an_empty_plan_is_empty() -> None:
    assert layout(Plan("empty", ())).nodes == ()
