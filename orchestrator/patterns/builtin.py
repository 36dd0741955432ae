"""The patterns of this package: each is a module, and one line here. `registry` imports this when it is first asked."""

from orchestrator.patterns import (
    concurrent_sync,
    group_chat,
    hierarchy,
    magentic,
    planner,
    planner_state_machine,
    refinement,
    registry,
    supervised_planner,
    swarm,
)

PATTERNS: tuple[registry.Pattern, ...] = (
    concurrent_sync.ConcurrentSync(),
    group_chat.GroupChat(),
    hierarchy.Hierarchy(),
    magentic.Magentic(),
    planner.Planner(),
    planner_state_machine.PlannerStateMachine(),
    refinement.Refinement(),
    supervised_planner.SupervisedPlanner(),
    swarm.Swarm(),
)

for pattern in PATTERNS:
    registry.register(pattern)
