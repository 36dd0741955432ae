"""`make check`: every rule a machine can check, all of them even when one fails."""

import hashlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from config.console import Console

ROOT = Path(__file__).resolve().parent.parent
_PYTHON = sys.executable
_BIN = Path(_PYTHON).parent
# Settings need an address, but no check here speaks to a database.
_MANAGE = [_PYTHON, "-W", "ignore:Got an error checking:RuntimeWarning", "manage.py"]


def main() -> int:
    """Run the checks; print what failed, and how."""
    console = Console()
    began = time.monotonic()
    failed = [name for name, check in _checks().items() if not _passes(console, name, check)]
    took = f"{time.monotonic() - began:.0f} s"
    if failed:
        console.problem(f"make check failed after {took}: {', '.join(failed)}.")
        return 1
    console.say(f"make check passed in {took}.")
    return 0


def _checks() -> dict[str, Callable[[], str]]:
    templates = [str(path) for path in sorted((ROOT / "templates").rglob("*.html"))]
    return {
        "ruff": lambda: _run(str(_BIN / "ruff"), "check", "--quiet", "."),
        "ruff format": lambda: _run(str(_BIN / "ruff"), "format", "--check", "--quiet", "."),
        "mypy": lambda: _run(_PYTHON, "-m", "mypy"),
        "import contracts": lambda: _run(str(_BIN / "lint-imports"), "--no-cache"),
        "djade": lambda: _run(str(_BIN / "djade"), "--check", *templates) if templates else "",
        "django": lambda: _run(*_MANAGE, "check", "--fail-level", "WARNING"),
        "migrations": lambda: _run(*_MANAGE, "makemigrations", "--check", "--dry-run"),
        "vendored files": _vendored,
        "uv.lock": _lock,
    }


def _passes(console: Console, name: str, check: Callable[[], str]) -> bool:
    with console.step(name) as step:
        complaint = check()
        step.failed = bool(complaint)
    if complaint:
        print(complaint, flush=True)  # noqa: T201
    return not complaint


def _run(*command: str) -> str:
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    return "" if done.returncode == 0 else (done.stdout + done.stderr).strip() or f"exit code {done.returncode}"


def _vendored() -> str:
    """Every vendored file is listed with its checksum, and every listed file is there unchanged."""
    folder = ROOT / "static" / "vendor"
    lines = [line.split(maxsplit=1) for line in (folder / "SHA256SUMS").read_text().splitlines() if line]
    listed = {name.lstrip("*").removeprefix("./"): checksum for checksum, name in lines}
    found = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "SHA256SUMS"
    }
    wrong = sorted(name for name in listed.keys() | found.keys() if listed.get(name) != found.get(name))
    return f"static/vendor differs from its SHA256SUMS: {', '.join(wrong)}" if wrong else ""


def _lock() -> str:
    """uv.lock belongs to pyproject.toml; uv looks at both without the network."""
    uv = ROOT / ".watchkeeper" / "tools" / "bin" / "uv"
    return _run(str(uv) if uv.exists() else "uv", "lock", "--check", "--offline", "--quiet")


if __name__ == "__main__":
    sys.exit(main())
