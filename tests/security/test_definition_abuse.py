"""Hostile definitions are refused with a typed error, at once and in little memory. Timeouts are generous: 2 cores."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.definitions.compile import compile_plan
from orchestrator.definitions.expressions import ExpressionError, evaluate
from orchestrator.definitions.load import DefinitionError, load

ROOT = Path(__file__).parents[2]
MEMORY = 50_000_000
SECONDS = 5.0  # of this process's time, so that a busy machine changes nothing; one on a machine of 2025
STEPS = 10_000
HEAD = "metadata: {name: x, title: X}\n"


class Anything:
    """A catalogue with one agent that promises nothing."""

    input_schema: dict[str, object] = {}
    output_schema: dict[str, object] = {}

    def find(self, name: str, version: int | None) -> "Anything | None":
        return self if name == "noop" else None

    def names(self) -> list[str]:
        return ["noop"]


def publish(text: str) -> str:
    """What an author is told: "" if the definition is fine."""
    try:
        compile_plan(load(text, file="abuse.yaml"), catalogue=Anything())
    except DefinitionError as problem:
        return str(problem)
    return ""


def large(
    dependencies: Callable[[int], str], *, agent: str = "noop", text: str = "${input.text}", steps: int = STEPS
) -> str:
    written = [f"  - {{key: s{n}, type: automated, agent: {agent}, inputs: {{text: '{text}'}}}}" for n in range(steps)]
    waits = [f"  s{n}: [{dependencies(n)}]" for n in range(steps)]
    return "\n".join(["metadata: {name: large, title: Large}", "steps:", *written, "dependencies:", *waits])


def well_meant() -> str:
    """As large as a definition may be, and nothing wrong with it."""
    return large(lambda n: f"s{n - 1}" if n else "")


def form(pattern: str) -> str:
    return f"{HEAD}steps: [{{key: m, type: manual, queue: q, form: {{properties: {{a: {{pattern: '{pattern}'}}}}}}}}]"


def laughs() -> str:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    return "\n".join(lines)


def chained_laughs() -> str:
    """Twenty aliases, each twice the one before: a million values in 400 bytes."""
    lines = ["a0: &a0 [" + "x, " * 1000 + "x]"] + [f"a{n}: &a{n} {{p: *a{n - 1}, q: *a{n - 1}}}" for n in range(1, 11)]
    return "\n".join(lines)


ABUSES = {
    "laughs": (laughs(), "aliases"),
    "chained_laughs": (chained_laughs(), "holds more than 400,000 values"),
    "deep_yaml": ("[" * 100_000, "nested more than 40 deep"),
    "deep_blocks": ("- " * 100_000, "nested more than 40 deep"),
    "deep_json": ('{"a":' * 100_000, "nested more than 40 deep"),
    "many_values": ("a: [" + "x," * 900_000 + "x]", "holds more than 400,000 values"),
    "many_json_values": ('{"a": [' + "1," * 900_000 + "1]}", "holds more than 400,000 values"),
    "too_large": ("a: " + "x" * 2_000_001, "is larger than 2,000,000 bytes"),
    "open_json_string": ("{" + '"\\' * 900_000, "is not JSON"),
    "quotes": ('"' * 1_900_000, "is not YAML"),
    "digits": ("a: " + "9" * 1_900_000, "too large for a whole number"),
    "python_tag": ("a: !!python/object/apply:os.system ['true']", "uses the tag"),
    "million_edges": (
        large(lambda n: "s1" if n != 1 else "", steps=10).replace("[s1]", f"[{'s1, ' * 300_000}s1]", 1),
        "dependencies",
    ),
    "cycle": (large(lambda n: f"s{(n + 1) % STEPS}"), "cycle: s"),
    "unknown_steps": (large(lambda n: f"x{n}"), "is not a step"),
    "unknown_agents": (large(lambda n: f"s{n - 1}" if n else "", agent="nope"), "is not an agent"),
    "unknown_names": (large(lambda n: f"s{n - 1}" if n else "", text="${inptu.text}"), "is not known"),
    "reads_from_later": (large(lambda n: f"s{n - 1}" if n else "", text="${steps.s9999.x}"), "need not have ended"),
    "too_many_steps": (large(lambda n: "", steps=STEPS + 1), "has more than 10,000 steps"),
    "regex_bomb": (
        form("^(?:a{1000}){1000}{1000}$"),
        "is not a JSON Schema",
    ),
    "backtracking": (
        form("(?=a)(a+)+$"),
        "is not a JSON Schema",
    ),
    "template_injection": (
        HEAD + """steps: [{key: a, type: automated, agent: noop, when: "__import__('os').system('id')"}]""",
        "is not a function here",
    ),
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", ABUSES)
def test_publish_of_a_hostile_definition_is_refused_at_once(name: str) -> None:
    text, says = ABUSES[name]

    started = time.process_time()
    message = publish(text)
    took = time.process_time() - started

    assert says in message
    assert took < SECONDS


@pytest.fixture(scope="session")
def peaks() -> dict[str, int]:
    """Most memory taken at once, by abuse: in a process of its own, where no thread of another test allocates too."""
    command = [sys.executable, "-m", "tests.security.test_definition_abuse"]
    done = subprocess.run(command, capture_output=True, check=True, cwd=ROOT)
    found: dict[str, int] = json.loads(done.stdout)
    return found


@pytest.mark.xdist_group("hostile definitions")
@pytest.mark.parametrize("name", ["well_meant", *ABUSES])
def test_publish_of_a_hostile_definition_needs_little_memory(name: str, peaks: dict[str, int]) -> None:
    assert peaks[name] < MEMORY


@pytest.mark.timeout(60)
def test_publish_of_ten_thousand_steps_is_quick() -> None:
    started = time.process_time()
    message = publish(well_meant())
    took = time.process_time() - started

    assert message == ""
    assert took < SECONDS


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "expression",
    [
        "1" + "<1" * 999,
        "!" * 1990 + "true",
        "-" * 1990 + "1",
        "true?" * 300 + "1" + ":1" * 300,
        "input" + ".a" * 990,
        "input.text.matches('^(a+)+$')",
        "input.text.matches('" + "(a{0,100})" * 100 + "')",
        "input.list.map(x, input.list).map(y, y).map(z, z).size()",
        " + ".join(["input.text"] * 40),
        "input.list.map(x, input.list + input.list + input.list).size()",
    ],
    ids=range(10),
)
def test_evaluate_of_a_hostile_expression_ends_soon(expression: str) -> None:
    context = {"input": {"text": "a" * 100_000 + "b", "list": list(range(1000))}, "steps": {}}

    started = time.process_time()
    try:
        evaluate(expression, context)
    except ExpressionError as problem:
        assert str(problem)  # noqa: PT017  a refusal is as good as a value
    took = time.process_time() - started

    assert took < SECONDS


def peak(act: Callable[[], object]) -> int:
    """How many bytes a process grows by at most, whoever allocates them: done in a fork, so each act starts alike."""
    reading, writing = os.pipe()
    if not os.fork():
        try:
            Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
            before = _status("VmRSS")
            act()
            os.write(writing, str(_status("VmHWM") - before).encode())
        finally:
            os._exit(0)  # told nothing, the parent fails
    os.close(writing)
    with os.fdopen(reading) as told:
        grown = int(told.read())
    os.wait()
    return grown


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


if __name__ == "__main__":
    written = {"well_meant": well_meant(), **{name: text for name, (text, _) in ABUSES.items()}}
    sys.stdout.write(json.dumps({name: peak(lambda text=text: publish(text)) for name, text in written.items()}))
