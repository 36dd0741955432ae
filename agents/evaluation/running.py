"""Runs a suite on one version of one agent by the same call that shifts make, and keeps what came of it."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from time import perf_counter
from typing import Any, Final

import orjson
from django.db import transaction
from django.utils import timezone

from agents import closing, registry
from agents.calling import call
from agents.evaluation import measures, sources
from agents.evaluation.cases import Case, Collection
from agents.evaluation.measures import Result
from agents.evaluation.suites import Suite
from agents.models import Evaluation, EvaluationCase, EvaluationItem
from agents.process import ProcessPool
from agents.specs import AgentSpec
from agents.types import AgentRequest, Awaits, Completed, Deferred, Failed, NeedsApproval

AT_ONCE: Final = 4
KEPT: Final = 20_000  # bytes of an input or output that are kept with its case


def evaluate(
    suite: Suite, *, agent: str = "", version: int | None = None, trigger: str = "command", by: str = "", limit: int = 0
) -> Evaluation:
    """Run every case and store the evaluation with all of them in one transaction. Raises AgentNotFound, CasesRefused.

    A suite that its agent fails opens an item, unless one is open already.
    """
    spec = registry.get(agent or suite.agent, version)
    found = sources.find(suite.dataset)
    cases = found.cases[: limit or suite.limit or None]
    started = timezone.now()
    results = asyncio.run(_run(suite, spec, cases))
    results = [_marked(suite, case, result) for case, result in zip(cases, results, strict=True)]
    return _store(
        suite, spec, Collection(tuple(cases)), results, {"trigger": trigger, "started_by": by, "started_at": started}
    )


async def _run(suite: Suite, spec: AgentSpec, cases: Sequence[Case]) -> list[Result]:
    turn = asyncio.Semaphore(AT_ONCE)
    processes = ProcessPool(AT_ONCE)
    with ThreadPoolExecutor(AT_ONCE) as threads:

        async def one(number: int, case: Case) -> Result:
            async with turn:
                result = await _call(suite, spec, case.input, f"evaluation-{number}", threads, processes)
                clean = case.expected.get("clean")
                if not isinstance(clean, dict):
                    return result
                bare = await _call(suite, spec, clean, f"evaluation-{number}-clean", threads, processes)
                return replace(result, clean=bare.output)

        try:
            if cases:  # unmeasured: loading a model is nobody's latency
                await _call(suite, spec, cases[0].input, "evaluation-first", threads, processes)
            return list(await asyncio.gather(*(one(number, case) for number, case in enumerate(cases))))
        finally:
            processes.close()
            await closing.close_all()


async def _call(
    suite: Suite, spec: AgentSpec, given: dict[str, Any], key: str, threads: ThreadPoolExecutor, processes: ProcessPool
) -> Result:
    request = AgentRequest(
        agent=spec.name, version=spec.version, input=given, key=key, attempt=1, timeout=suite.timeout
    )  # no effects and no memory: an evaluation changes nothing
    started = perf_counter()
    outcome = await call(request, threads=threads, processes=processes)
    elapsed = (perf_counter() - started) * 1000
    cost, tokens = outcome.usage.cost, outcome.usage.tokens_in + outcome.usage.tokens_out
    match outcome:
        case Completed(output=output, confidence=confidence):
            return Result(output, elapsed, cost, tokens, confidence)
        case NeedsApproval(output=output, action=action, confidence=confidence):
            return Result(output or {"action": action}, elapsed, cost, tokens, confidence)
        case Failed(code=code, message=message):
            return Result(None, elapsed, cost, tokens, error=f"{code}: {message}"[:500])
        case Awaits():
            return Result(None, elapsed, cost, tokens, error="awaits: it waits for a message, and here nobody writes")
        case Deferred():
            return Result(None, elapsed, cost, tokens, error="deferred: it is answered from outside, in runs only")


def _marked(suite: Suite, case: Case, result: Result) -> Result:
    return replace(result, marks={measure.name: measures.mark(measure, case, result) for measure in suite.measures})


def passes(suite: Suite, result: Result) -> bool:
    """Whether a case passes: its call succeeded, and its marks in the measures that decide it are 1."""
    return result.output is not None and all(result.marks.get(name) in (1.0, None) for name in suite.passes)


@transaction.atomic
def _store(
    suite: Suite, spec: AgentSpec, cases: Collection, results: Sequence[Result], facts: dict[str, Any]
) -> Evaluation:
    values = {
        measure.name: measures.total(measure, [result.marks[measure.name] for result in results], results)
        for measure in suite.measures
    }
    thresholds = {
        name: {
            "at_least": limit.at_least,
            "at_most": limit.at_most,
            "value": values[name],
            "held": limit.holds(values[name]),
        }
        for name, limit in suite.thresholds.items()
    }
    made = Evaluation.objects.create(
        suite=suite.name, kind=suite.kind, suite_digest=suite.digest, agent=spec.name, agent_version=spec.version,
        agent_digest=spec.digest, prompt_version=str(spec.config.get("prompt_version") or "")[:150],
        dataset=suite.dataset, dataset_digest=cases.digest, cases=len(results), measures=values, thresholds=thresholds,
        passed=bool(results) and all(one["held"] for one in thresholds.values()), ended_at=timezone.now(), **facts,
    )  # fmt: skip
    EvaluationCase.objects.bulk_create(
        [
            _row(made, suite, number, case, result)
            for number, (case, result) in enumerate(zip(cases.cases, results, strict=True))
        ],
        batch_size=500,
    )
    if not made.passed:
        EvaluationItem.objects.bulk_create(
            [EvaluationItem(suite=suite.name, agent=spec.name, evaluation=made)], ignore_conflicts=True
        )
    return made


def _row(made: Evaluation, suite: Suite, number: int, case: Case, result: Result) -> EvaluationCase:
    return EvaluationCase(
        evaluation=made, number=number + 1, case_digest=case.digest, passed=passes(suite, result),
        succeeded=result.output is not None, latency_ms=round(result.latency_ms, 3), cost=result.cost,
        tokens=result.tokens, marks=result.marks, input=_kept(case.input), expected=_kept(case.expected),
        output=None if result.output is None else _kept(result.output), error=result.error, tags=list(case.tags),
    )  # fmt: skip


def _kept(value: dict[str, Any]) -> dict[str, Any]:
    size = len(orjson.dumps(value))
    return value if size <= KEPT else {"left_out": f"{size:,} bytes"}
