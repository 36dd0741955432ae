"""A deployment behind TLS, files on disk, and what other users of the machine can see."""

import logging.config
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings

from config import logs
from config.datadir import DataDir
from config.processes import Child

ROOT = Path(settings.BASE_DIR)
DEPLOYED = {
    "HTTPS": "1",
    "SECRET_KEY": "k" * 20 + "".join(map(chr, range(48, 91))),
    "PUBLIC_ORIGINS": "https://w.example",
}
SHOWN = (
    "SESSION_COOKIE_NAME",
    "CSRF_COOKIE_NAME",
    "SESSION_COOKIE_SECURE",
    "CSRF_COOKIE_SECURE",
    "SECURE_HSTS_SECONDS",
    "DEBUG",
)


def manage(*words: str, **environment: str) -> str:
    """What a command of the product says in an environment."""
    command = [sys.executable, "-W", "ignore", "manage.py", *words]
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "DATABASE_URL") if name in os.environ}
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=ROOT, env=kept | environment, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_deployment_check_has_nothing_to_say():
    assert "no issues" in manage("check", "--deploy", "--fail-level", "WARNING", **DEPLOYED)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (DEPLOYED, ["__Host-sessionid", "__Host-csrftoken", "True", "True", str(365 * 86400), "False"]),
        ({"HTTPS": "0"}, ["sessionid", "csrftoken", "False", "False", "0", "False"]),
    ],
    ids=["behind TLS", "on one's own machine"],
)
def test_cookies_and_hsts_follow_https(environment, expected):
    code = f"from django.conf import settings; print(*(getattr(settings, name) for name in {SHOWN}), sep='|')"

    said = manage("shell", "--no-imports", "-c", code, **environment)

    assert said.strip().splitlines()[-1].split("|") == expected


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_data_directory_shows_others_nothing(tmp_path):
    home = DataDir(tmp_path / "data")
    home.create()
    home.secret("django")

    assert mode(home.path) & 0o066 == 0  # others may pass through to what is theirs, and list nothing
    assert mode(home.path / "secrets") == mode(home.path / "logs") == 0o700
    assert mode(home.path / "secrets" / "django") == 0o600


def test_what_a_child_writes_is_its_owners_alone(tmp_path):
    home = DataDir(tmp_path / "data")
    home.create()
    script = f"import pathlib; p = pathlib.Path({str(home.path)!r}); (p / 'new').mkdir(); (p / 'new' / 'file').touch()"
    child = Child("writer", [sys.executable, "-c", script], os.environ, home)

    child.start()
    deadline = time.monotonic() + 10
    while not child.stopped():
        assert time.monotonic() < deadline
        time.sleep(0.01)

    assert (mode(home.path / "new"), mode(home.path / "new" / "file")) == (0o700, 0o600)
    child.kill()


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Bearer wk_" + "A1b2C3d4" * 6, "Bearer ***"),
        ("token wk_" + "A1b2C3d4" * 6 + " refused", "token *** refused"),
        ("connect postgresql://watch:s3cret-pass@127.0.0.1:5432/x", "connect postgresql://***@127.0.0.1:5432/x"),
        ("authorization: bearer abc.def.ghi", "authorization: bearer ***"),
        ("run 5 of user:ana at http://localhost:8000/runs/", "run 5 of user:ana at http://localhost:8000/runs/"),
    ],
    ids=["header", "token", "address", "other bearer", "nothing secret"],
)
@pytest.mark.parametrize("place", ["event", "exception"])
def test_log_entry_masks_secrets(text, left, place):
    formatter = logging.config.DictConfigurator(logs.settings("INFO")).configure_formatter(
        logs.settings("INFO")["formatters"]["json"]
    )
    raised = ValueError(text) if place == "exception" else None
    record = logging.LogRecord("x", logging.ERROR, "", 1, text, None, (ValueError, raised, None) if raised else None)

    line = formatter.format(record)

    assert left in line
    assert left == text or text not in line
