"""What README promises about configuration, held against what the code reads."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
READERS = {"text", "flag", "integer", "choice", "words", "networks", "database", "mailers", "get", "pop", "getenv"}
# Read, but nobody's to set: between our own processes, by the tests, or other programs' own.
INTERNAL = {
    *("BENCH_LLM_URL", "CELERY_SKIP_CHECKS", "CHROMIUM", "DJANGO_SETTINGS_MODULE", "STATIC_FROM_SOURCE"),
    *("PATH", "PYENV_ROOT", "PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "NO_COLOR"),
    *("WATCHKEEPER_FAILPOINTS", "WATCHKEEPER_FAILPOINT_SEED", "WATCHKEEPER_PAGES"),
}


def _read() -> Iterator[str]:
    """Names in capitals that are read from the environment, by `config.env` or as they are."""
    for folder in ("config", "monitoring", "approvals", "orchestrator", "agents"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                yield from _names(node)


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_key" and node.args:
        place, name = ast.Name("env"), node.args[0]  # of a provider of models
    elif (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in READERS and node.args
    ):
        place, name = node.func.value, node.args[0]
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        place, name = node.value, node.slice
    else:
        return
    is_name = isinstance(name, ast.Constant) and re.fullmatch(r"[A-Z][A-Z0-9_]+", str(name.value))
    if is_name and ast.unparse(place) in {"env", "os.environ", "environ", "environment", "os"}:
        yield str(name.value)


def test_configuration_table_lists_every_variable_that_is_read_and_no_other() -> None:
    text = (ROOT / "README.md").read_text()
    table = text.split("## Configuration")[1].split("\n## ")[0]
    # Of the last column, those that it explains: `its key in WATCHKEEPER_LLM_KEY`.
    rows = re.findall(r"^\| (`[^|]+)\|", table, re.MULTILINE)
    first = {name for row in rows for name in re.findall(r"`([A-Z0-9_]+)`", row)}
    named = set(re.findall(r"`([A-Z][A-Z0-9_]{3,})`", table))
    source = "\n".join(path.read_text() for app in ("config", "agents") for path in (ROOT / app).rglob("*.py")).replace(
        "'", '"'
    )

    assert set(_read()) - named - INTERNAL == set()
    # Some are read by the first half of their names: OIDC_ISSUER as what belongs to "OIDC".
    halves = {name: name.split("_")[0] for name in first}
    assert {name for name in first if f'"{name}"' not in source and f'"{halves[name]}"' not in source} == set()


def test_readme_says_nothing_twice() -> None:
    lines = [line for line in (ROOT / "README.md").read_text().splitlines() if len(line) > 40]

    assert {line for line in lines if lines.count(line) > 1} == set()
    assert {start for start in (line[:60] for line in lines) if [line[:60] for line in lines].count(start) > 1} == set()


def test_readme_leads_to_every_page_of_documentation() -> None:
    text = (ROOT / "README.md").read_text()
    # Tables of which test holds which id: the roadmap and the scenarios lead to them.
    pages = {path.name for path in (ROOT / "docs").glob("*.md") if not path.name.endswith("-ids.md")}

    assert {page for page in pages if f"docs/{page}" not in text} == set()
