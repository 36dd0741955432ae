"""A checked definition to the plan that the engine runs: everything that can be known before a run is checked here."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orchestrator.definitions import contracts, coordinating, flow, lifecycles, limits, quality, remembering
from orchestrator.definitions.agents import AgentCatalogue, AgentContract, Agents, name_and_version
from orchestrator.definitions.errors import DefinitionError, DefinitionProblem, Problems, did_you_mean
from orchestrator.definitions.fields import LONGEST_WAIT, seconds
from orchestrator.definitions.gates import Gates
from orchestrator.definitions.load import Definition, StepSource
from orchestrator.definitions.plan import Branch, Plan, PlanStep, Retry
from orchestrator.definitions.recovery import Recovery
from orchestrator.definitions.references import References, condition
from orchestrator.definitions.waits import Callee, Waits, Workflows, wait_of
from orchestrator.definitions.wiring import Wiring
from orchestrator.patterns import registry

TIMEOUT = 60.0

__all__ = ["AgentCatalogue", "AgentContract", "DefinitionError", "DefinitionProblem", "compile_plan"]


def compile_plan(definition: Definition, *, catalogue: AgentCatalogue, workflows: Workflows | None = None) -> Plan:
    """Compile a definition; DefinitionError lists everything that would not work.

    `workflows` finds those that it starts runs of; without it, whether they exist is not checked.

    1. Wire the steps; a cycle ends the check here, for nothing after it means anything.
    2. Check each step: its agent, its expressions, its gate.
    3. Build the plan in topological order.
    """
    problems = Problems(definition.file)
    wiring = Wiring(definition, problems)
    wiring.connect()
    configuration = definition.configuration
    own = Callee(configuration.get("input", {}), tuple(configuration.get("outputs", {})))
    waits = Waits(definition.name, own, workflows, problems)
    compiler = _Compiler(definition, wiring, problems, Agents(catalogue, problems), waits)
    steps = tuple(compiler.step(wiring.sources[key]) for key in wiring.order)
    compiler.references.check_run()
    compiler.check_budgets()
    problems.raise_if_any()
    return Plan(
        name=definition.name,
        steps=steps,
        input_schema=configuration.get("input", {}),
        outputs=configuration.get("outputs", {}),
        title=configuration.get("title", ""),
        priority=configuration.get("priority", 0),
        weight=configuration.get("weight", 1),
        deadline_s=seconds(configuration.get("run_deadline", 0), longest=LONGEST_WAIT) or 0.0,
        escalation_queue=configuration.get("escalation_queue", ""),
        budgets=configuration.get("budgets", {}),
        shares=configuration.get("shares", {}),
        lifecycles=configuration.get("lifecycles", {}),
        on_failure=definition.error_handling.get("on_failure", "stop"),
        business_queue=definition.error_handling.get("business_queue", ""),
    )


class _Compiler:
    """Builds one PlanStep after the other."""

    def __init__(
        self, definition: Definition, wiring: Wiring, problems: Problems, agents: Agents, waits: Waits
    ) -> None:
        self._definition = definition
        self._wiring = wiring
        self._problems = problems
        self._agents = agents
        self._waits = waits
        self._callees: set[str] = set()  # agents that a run may call; "" for one that is chosen while it runs
        self._recovery = Recovery(definition, agents, problems)
        self._gates = Gates(definition, wiring, problems)
        self._index = {key: index for index, key in enumerate(wiring.order)}
        self._after = wiring.after()
        self.references = References(definition, wiring, problems, self._output_fields)

    def step(self, source: StepSource) -> PlanStep:
        """Check one step and build it."""
        self._check(source)
        self.references.check_step(source)
        before = self._wiring.before[source.key]
        return replace(
            self._step(source, body=self._body(source)),
            index=self._index[source.key],
            dependencies=self._indexes(before),
            successors=self._indexes(self._after[source.key]),
            need=coordinating.need_of(source, len(before)),
            cancel_rest=source.fields.get("cancel_rest", False),
        )

    def _body(self, source: StepSource) -> PlanStep | None:
        """The step inside a map or loop, checked like any other."""
        fields = source.fields.get("body")
        if fields is None:
            return None
        body = StepSource(source.key, fields["type"], source.title, fields, source.group, source.line)
        self._check_kind(body)
        made = self._step(body)
        # A failed item or round is for its parent to judge, unless the body says otherwise.
        return made if "on_error" in fields else replace(made, on_error="skip")

    def _step(self, source: StepSource, body: PlanStep | None = None) -> PlanStep:
        """A step without its place in the graph."""
        fields, errors = source.fields, self._definition.error_handling
        agent, version = name_and_version(fields.get("agent", ""))
        needs = [*self.references.needs[source.key], *([fields["subject"]] if "subject" in fields else [])]
        if "conflicts" in fields:
            needs += self._wiring.before[source.key]
        asked = quality.spec_of(source, self._definition.configuration)
        if asked is not None and "consistency" in asked.checks:
            needs += quality.earlier(source.key, self._wiring)
        made = PlanStep(
            index=-1,
            key=source.key,
            title=source.title,
            kind=source.type,  # type: ignore[arg-type]  # groups are flattened, so only kinds of steps are left
            lane=fields.get("lane") or self._definition.configuration.get("lane", "default"),
            group=source.group,
            agent=agent,
            agent_version=version,
            inputs=fields.get("inputs", {}),
            needs=self._indexes(dict.fromkeys(needs)),
            needs_run_input=source.key in self.references.needs_input
            or (asked is not None and "consistency" in asked.checks),
            quality=asked,
            when=condition(fields["when"]) if "when" in fields else "",
            branches=self._branches(source),
            subject=self._index.get(fields.get("subject", "")),
            form=fields.get("form", {}),
            instructions=fields.get("instructions", ""),
            gate=self._gates.gate(source),
            timeout=seconds(fields.get("timeout", errors.get("timeout", TIMEOUT))) or TIMEOUT,
            retry=Retry(**{**errors.get("retry", {}), **fields.get("retry", {})}),
            deliver=fields.get("deliver", {}),
            publishes=fields.get("publishes", {}),
            body=body,
            map=coordinating.map_of(source),
            loop=coordinating.loop_of(source),
            pattern=fields.get("pattern", ""),
            options=fields.get("options", {}),
            workflow=fields.get("workflow", ""),
            wait=wait_of(source),
            **remembering.fields_of(source, queue=self._definition.configuration.get("queue", "operations")),
            select=limits.select_of(source),
            cache_s=limits.cache_of(source),
            category=limits.category_of(source),
            p95_s=limits.latency_of(source),
            effort=fields.get("effort", {}),
            **self._recovery.fields(source),
        )
        return quality.assured(made)

    def _indexes(self, keys: Mapping[str, None] | list[str]) -> tuple[int, ...]:
        return tuple(sorted(self._index[key] for key in keys if key in self._index))

    def _check(self, source: StepSource) -> None:
        self._check_kind(source)
        before = len(self._wiring.before[source.key])
        for flaw in (*coordinating.join_flaws(source, before), *remembering.flaws(source, before)):
            self._note(source, *flaw)
        for flaw in lifecycles.step_flaws(source.fields.get("moves", {}), self._definition.configuration):
            self._note(source, *flaw)
        if "when" in source.fields and condition(source.fields["when"]) == "false":
            self._note(
                source, "when", "is always false, so the step is never reached", "remove the step or the condition"
            )

    def check_budgets(self) -> None:
        """Check the table that divides a run's budgets among the agents that its steps call, and the lifecycles."""
        configuration = self._definition.configuration
        found = (*limits.budget_flaws(configuration, self._callees), *lifecycles.flaws(configuration))
        for field, message, remedy in found:
            self._problems.add(message, field=f"configuration.{field}", remedy=remedy)

    def _check_kind(self, source: StepSource) -> None:
        self._callees |= limits.agents_in(source)
        for flaw in limits.flaws(source, self._agents.catalogue):
            self._note(source, *flaw)
        self._waits.check(source)
        if "agent" in source.fields or (source.type == "automated" and "select" not in source.fields):
            self._agents.check(source)
            if "agent" in source.fields:
                self._check_flow(source)
            self._recovery.check(source)
        for flaw in quality.flaws(source, self._agents, self._definition, self._wiring):
            self._note(source, *flaw)
        if source.type == "approval":
            self._check_subject(source)
        if source.type == "conditional":
            self._check_branches(source)
        if source.type == "pattern":
            self._check_pattern(source)

    def _check_flow(self, source: StepSource) -> None:
        contract = self._agents.contract(source.fields["agent"])
        if contract is not None:
            for flaw in flow.misfits(source.fields.get("inputs", {}), contract.input_schema, self._schema_of):
                self._note(source, *flaw)

    def _schema_of(self, key: str) -> Mapping[str, Any] | None:
        """What a step's output, or for "" the run's input, is promised to look like."""
        if not key:
            schema: Mapping[str, Any] = self._definition.configuration.get("input", {})
            return schema
        source = self._wiring.sources.get(key)
        if source is None or source.type not in {"automated", "manual", "hybrid"}:
            return None
        if source.type in {"manual", "hybrid"}:
            form: Mapping[str, Any] = source.fields["form"]
            return form
        contract = self._agents.contract(source.fields["agent"]) if "agent" in source.fields else None
        return contract.output_schema if contract else None

    def _check_pattern(self, source: StepSource) -> None:
        name, options = source.fields["pattern"], source.fields.get("options", {})
        pattern = registry.find(name)
        if pattern is None:
            remedy = did_you_mean(name, registry.names())
            self._note(source, "pattern", f'"{name}" is not a pattern', remedy or "see /patterns/ for all of them")
            return
        if "fallback" in source.fields:
            self._agents.check_named(source, [source.fields["fallback"]], field="fallback")
        flaws = list(coordinating.option_flaws(options, pattern.options))
        if not flaws:
            flaws = list(pattern.flaws(options))
            named = tuple(pattern.agents(options))
            self._agents.check_named(source, named)
            self._callees |= limits.agents_in(source, named)
        for field, message, remedy in flaws:
            self._note(source, field, message, remedy)

    def _check_subject(self, source: StepSource) -> None:
        subject = self._wiring.sources.get(source.fields["subject"])
        if subject is None:
            self._note(
                source, "subject", f'"{source.fields["subject"]}" is not a step', "name the step that is reviewed"
            )
        elif subject.type != "automated":
            self._note(
                source, "subject", f'"{subject.key}" is {subject.type}', "review the output of an automated step"
            )

    def _check_branches(self, source: StepSource) -> None:
        conditions = [condition(branch.get("when", "")) for branch in source.fields["branches"]]
        for number, text in enumerate(conditions):
            if text == "true" and (number < len(conditions) - 1 or source.fields.get("default")):
                message, remedy = "always holds, so what follows is never reached", "make it the default"
                self._note(source, f"branches[{number}].when", message, remedy)
            if text == "false":
                self._note(source, f"branches[{number}].when", "never holds", "remove this branch")

    def _branches(self, source: StepSource) -> tuple[Branch, ...]:
        if source.type != "conditional":
            return ()
        ways = [(condition(branch["when"]), branch["then"]) for branch in source.fields["branches"]]
        if "default" in source.fields:
            ways.append(("", source.fields["default"]))
        return tuple(
            Branch(when, self._indexes([head for key in keys for head in self._wiring.heads(key)]))
            for when, keys in ways
        )

    def _output_fields(self, step: str | StepSource) -> Mapping[str, Any] | None:
        """The fields that the output of a step, by its key or itself, is known to have; None if any may be there."""
        source = self._wiring.sources.get(step) if isinstance(step, str) else step
        if source is None:
            return None
        if source.type == "map":
            return {"items": {}, "succeeded": {}, "failed": {}}
        if source.type in {"manual", "hybrid"}:
            return contracts.properties(source.fields["form"])
        if source.type != "automated":
            return self._waits.output_fields(source)
        contract = self._agents.contract(source.fields["agent"]) if "agent" in source.fields else None
        return contracts.properties(contract.output_schema) if contract else None

    def _note(self, source: StepSource, field: str, message: str, remedy: str) -> None:
        self._problems.add(message, step=source.key, field=field, remedy=remedy, line=source.line)
