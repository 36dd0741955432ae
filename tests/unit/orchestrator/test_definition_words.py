"""Problems of definitions in the reader's language: no sentence is missing, and what stands in one stays as it was."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import translation

from orchestrator import definition_words
from orchestrator.definition_phrases import PHRASES
from orchestrator.definitions.errors import DefinitionProblem

FOLDER = Path(__file__).parents[3] / "orchestrator" / "definitions"
# These say nothing to an author: descriptions of fields for the schema, drawings, and programs' own texts.
OTHERS = {"fields.py", "graph.py", "plan.py", "serialise.py", "schema.py", "expressions.py", "clauses.py"}
# Parts of sentences that stand within others, and how a problem is written on one line.
PARTS = {
    "{}; {}", "{}: {}: {}", "{}: {}", 'step "{}"', "a list", "a mapping", "true or false", "a {}", "a number",
    "number {}", "an agent that is chosen while it runs", "a field of the workflow's input", "a field of that output",
    "({} more)",
}  # fmt: skip


def sentences() -> Iterator[str]:
    """Every text of several words in the modules that look at definitions, with `{}` for what is filled in."""
    for path in sorted(FOLDER.glob("*.py")):
        if path.name not in OTHERS:
            tree = ast.parse(path.read_text())
            parts = _passed_over(tree)
            yield from (_text(node) for node in ast.walk(tree) if id(node) not in parts)


def _passed_over(tree: ast.AST) -> set[int]:
    """Docstrings, and what stands within a text that is put together."""
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
            found.add(id(node.body[0].value))  # type: ignore[attr-defined]
        if isinstance(node, ast.JoinedStr):
            found |= {id(part) for value in node.values for part in ast.walk(value)}
    return found


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def test_no_sentence_is_missing() -> None:
    said = {text.strip() for text in sentences() if " " in text.strip() and "\n" not in text}

    assert said - PARTS - {phrase.strip() for phrase in PHRASES} == set()


@pytest.mark.parametrize(
    ("english", "german"),
    [
        ('"steps.x" is not a step', '"steps.x" ist kein Schritt'),
        ("must be a number from 1 to 9", "muss eine Zahl von 1 bis 9 sein"),
        ("is missing", "fehlt"),
        ("it has it for a, b; name another agent", "er hat sie für a, b; einen anderen Agenten nennen"),
        (
            "name one that exists. Or let publishing make it (make_queues)",
            "eine nennen, die es gibt. Oder beim Veröffentlichen anlegen lassen (make_queues)",
        ),
        ('the key "is missing" stands twice', 'der Schlüssel "is missing" steht zweimal da'),
        ("what nobody has ever said", "what nobody has ever said"),
    ],
)
def test_sentence_is_said_in_german_and_names_stay(english: str, german: str) -> None:
    with translation.override("de"):
        assert definition_words.said(english) == german
    with translation.override("en"):
        assert definition_words.said(english) == english


@pytest.mark.parametrize("phrase", PHRASES)
def test_phrase_is_found_again_whatever_stands_in_it(phrase: str) -> None:
    filled = phrase.replace("{}", 'a "b" {c}')
    with translation.override("de"):
        problem = DefinitionProblem("f", "s", "x", filled, "")
        told = definition_words.told([problem])[0].message

    assert told != filled
    assert told.count('a "b" {c}') == phrase.count("{}")
