"""Rules of the layout that import-linter cannot see."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import Model

ROOT = Path(__file__).resolve().parents[2]
APPS = ("agents", "orchestrator", "approvals", "monitoring", "config")  # from the bottom up
LONGEST_MODULE = 400

# Raw SQL is an engine matter. Each of these has a reason in its docstring; a new one needs an argument first.
SPEAKS_SQL = {
    "agents/messaging/db.py",  # locks by name, the database's clock, a doorbell: this app has no `orchestrator.db`
    "agents/lifecycle/measuring.py",  # sums over a window, a histogram's buckets: each one statement
    "agents/management/commands/memory_vectors.py",  # adds pgvector's column where the extension has come since
    "agents/memory/embedding.py",  # whether pgvector is there
    "approvals/db.py",
    "approvals/joined.py",  # whole rows with their relations, whose statement is written out once
    "approvals/desk_db.py",  # what the inbox, a card and rights read of many tables, each in one statement
    "config/bench/desk.py",  # makes twenty thousand gates of a few
    "config/bench/measure.py",  # the floor: one plain durable commit
    "config/bench/server.py",  # drops the databases that it has made
    "config/postgres.py",
    "config/server_address.py",
    "config/volume/filling.py",  # multiplies a million rows where they are to lie
    "monitoring/frame_db.py",  # what there is for the frame around every page, of many tables in one statement
    "monitoring/alerts/db.py",  # a range of the log summed by subject, a count with an end: each one statement
    "monitoring/forensics/indexing.py",  # a stretch of the log in one statement
    "monitoring/hub.py",  # LISTEN on its own connection
    "monitoring/telemetry/db.py",  # what a stretch of the log speaks of, looked up and counted where it lies; a lock
    "monitoring/metrics/db.py",  # counts a stretch of the ledger where it lies, in one statement; sums of the rollups
    "orchestrator/anchors.py",
    "orchestrator/budget_db.py",
    "orchestrator/db.py",
    "orchestrator/spawn_db.py",
    "orchestrator/engine/shift.py",  # LISTEN on its own connection
    "orchestrator/engine/timekeeper.py",  # LISTEN on its own connection
    "orchestrator/events.py",
    "orchestrator/invariants.py",
    "orchestrator/ledger.py",
    "orchestrator/sequencer.py",
    "orchestrator/waits_db.py",  # what `db` is, for waiting tasks
}
RINGS_DOORBELLS = {"orchestrator/dispatch.py"}
# The ledger is every reader's, by its position.
FRONT_DOOR = {
    "acts",
    "services",
    "queries",
    "models",
    "ports",
    "events",
    "errors",
    "states",
    "api_errors",
    "pacing",
    "rendering",
    "ledger",
    "holds",
    # What gates are tried on, proposed and published with: the past, definitions (which know no database), and acts.
    "past",
    "causes",
    "definitions",
    "publishing",
    "act_views",
}
TOP_LEVEL = {
    *(
        ".ci",
        ".gitignore",
        "CHANGELOG.md",
        "LICENSE",
        "Makefile",
        "README.md",
        "manage.py",
        "pyproject.toml",
        "uv.lock",
    ),
    *("agents", "approvals", "config", "docs", "monitoring", "orchestrator", "static", "templates", "tests"),
    *("package.json", "package-lock.json"),  # what static/vendor is made from
}
NOT_OURS = {".git", ".venv", ".watchkeeper", "node_modules", "test-results", "__pycache__"}


def _modules(*folders: str) -> Iterator[tuple[str, Path]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path.relative_to(ROOT).as_posix(), path


def _calls(path: Path) -> Iterator[ast.Call]:
    yield from (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))


def _speaks_sql(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in {"RawSQL", "raw", "extra", "executemany"}:
        return True
    literal = bool(call.args) and isinstance(call.args[0], ast.Constant | ast.JoinedStr)
    return name == "cursor" or (name == "execute" and literal)


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_modules_are_short_enough_to_read() -> None:
    lengths = {name: len(path.read_text().splitlines()) for name, path in _modules(*APPS)}

    assert {name: length for name, length in lengths.items() if length > LONGEST_MODULE} == {}


@pytest.mark.parametrize(
    "model", [m for app in APPS for m in apps.get_app_config(app).get_models()], ids=lambda m: m._meta.label
)
def test_foreign_keys_point_downwards(model: type[Model]) -> None:
    rank = {app: level for level, app in enumerate(APPS)}

    upward = [
        f"{field.name} -> {field.related_model._meta.label}"
        for field in model._meta.get_fields()
        if field.concrete
        and field.related_model
        and rank.get(field.related_model._meta.app_label, -1) > rank[model._meta.app_label]
    ]

    assert upward == []


def test_raw_sql_is_spoken_only_where_it_is_meant_to_be() -> None:
    speakers = {name for name, path in _modules(*APPS) if any(_speaks_sql(call) for call in _calls(path))}

    assert speakers - SPEAKS_SQL == set()


def test_celery_tasks_are_sent_only_by_the_dispatcher() -> None:
    senders = {
        name
        for name, path in _modules(*APPS)
        for call in _calls(path)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in {"delay", "apply_async", "delay_on_commit", "apply_async_on_commit", "send_task"}
    }

    assert senders - RINGS_DOORBELLS == set()


def test_approvals_enters_the_orchestrator_by_its_front_door() -> None:
    entered = {
        (name, module)
        for name, path in _modules("approvals")
        for module in _imported(path)
        if module.startswith("orchestrator.") and module.split(".")[1] not in FRONT_DOOR
    }

    assert entered == set()


def test_statuses_of_runs_and_tasks_are_written_by_the_engine_only() -> None:
    writers = {
        name
        for name, path in _modules("agents", "orchestrator", "monitoring", "config")
        if not name.startswith("orchestrator/engine/")
        for call in _calls(path)
        if getattr(call.func, "attr", "") == "update" and "status" in {keyword.arg for keyword in call.keywords}
    }

    assert writers == set()


def test_the_top_level_holds_nothing_unexplained() -> None:
    found = {path.name for path in ROOT.iterdir() if not path.name.endswith("_cache") and path.name != ".hypothesis"}

    assert found - TOP_LEVEL - NOT_OURS == set()
