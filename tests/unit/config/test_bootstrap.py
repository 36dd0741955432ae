"""The parts of the bootstrap that decide."""

import json
from pathlib import Path

import pytest

from config import bootstrap

_SUM = "0" * 64


def _link(name: str, needs: str) -> str:
    return f'<a href="../../packages/{name}#sha256={_SUM}" data-requires-python="{needs}">{name}</a>'


def test_newest_pip_passes_over_wheels_this_python_cannot_run() -> None:
    page = _link("pip-26.0.1-py3-none-any.whl", "&gt;=3.9") + _link("pip-99.0-py3-none-any.whl", "&gt;=3.99")

    assert bootstrap.newest_pip(page) == ("../../packages/pip-26.0.1-py3-none-any.whl", _SUM)


def test_newest_pip_of_an_empty_index_is_refused() -> None:
    with pytest.raises(ValueError, match="lists no pip"):
        bootstrap.newest_pip("<html></html>")


@pytest.fixture
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, path in {"ROOT": ".", "VENV": ".venv", "PYTHON": "python", "STAMP": "stamp"}.items():
        monkeypatch.setattr(bootstrap, name, tmp_path / path)
    (tmp_path / "uv.lock").write_text("one")
    (tmp_path / "python").touch()


@pytest.mark.usefixtures("_elsewhere")
@pytest.mark.parametrize(
    ("had", "wants_dev", "enough"),
    [("yes", True, True), ("yes", False, True), ("no", False, True), ("no", True, False)],
    ids=["dev for dev", "dev for run", "run for run", "run for dev"],
)
def test_installed_knows_which_groups_are_there(had: str, wants_dev: bool, enough: bool) -> None:
    bootstrap.STAMP.write_text(json.dumps({"lock": bootstrap.lock_hash(), "root": str(bootstrap.ROOT), "dev": had}))

    assert bootstrap.installed(dev=wants_dev) is enough


@pytest.mark.usefixtures("_elsewhere")
def test_installed_after_a_change_of_the_lock_is_false() -> None:
    bootstrap.STAMP.write_text(json.dumps({"lock": bootstrap.lock_hash(), "root": str(bootstrap.ROOT), "dev": "yes"}))

    (bootstrap.ROOT / "uv.lock").write_text("two")

    assert not bootstrap.installed(dev=False)


@pytest.mark.usefixtures("_elsewhere")
@pytest.mark.parametrize(
    ("broker", "extras", "enough"),
    [("", "", True), ("amqp://h", "", True), ("redis://h", "", False), ("rediss://h", "redis", True)],
    ids=["files", "rabbitmq", "redis", "redis again"],
)
def test_installed_knows_what_the_broker_needs(
    broker: str, extras: str, enough: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_URL", broker)
    known = {"lock": bootstrap.lock_hash(), "root": str(bootstrap.ROOT), "dev": "no", "extras": extras}

    bootstrap.STAMP.write_text(json.dumps(known))

    assert bootstrap.installed(dev=False) is enough


@pytest.mark.usefixtures("_elsewhere")
@pytest.mark.parametrize(
    ("model", "extras", "enough"),
    [("", "", True), ("m@http://h/v1", "", True), ("local", "redis", False), ("local", "llm redis", True)],
    ids=["none", "elsewhere", "here", "here again"],
)
def test_installed_knows_what_a_model_on_this_machine_needs(
    model: str, extras: str, enough: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_URL", "")
    monkeypatch.setenv("WATCHKEEPER_LLM", model)
    known = {"lock": bootstrap.lock_hash(), "root": str(bootstrap.ROOT), "dev": "no", "extras": extras}

    bootstrap.STAMP.write_text(json.dumps(known))

    assert bootstrap.installed(dev=False) is enough


def test_find_python_names_one_that_is_new_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHKEEPER_PYTHON", raising=False)

    python = bootstrap.find_python()

    assert python is not None
    assert bootstrap.version_of(python) in bootstrap.PREFERRED


def test_find_python_refuses_a_named_one_that_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHKEEPER_PYTHON", "/nowhere/python3")

    with pytest.raises(bootstrap.Failed, match="correct or unset it"):
        bootstrap.find_python()


def test_broker_that_cannot_be_installed_is_said_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    monkeypatch.setattr(bootstrap, "server", lambda program: None)

    bootstrap.offer_brokers()

    said = capsys.readouterr().out
    assert [said.count(f"apt-get install {name}") for name in ("redis-server", "mosquitto")] == [1, 1]


@pytest.mark.parametrize(
    ("here", "debian", "offers", "drives", "installs"),
    [
        ({"chromium", "chromium-headless-shell"}, True, set(), "chromium-headless-shell", []),
        ({"chromium"}, True, {"chromium-headless-shell"}, "chromium-headless-shell", ["chromium-headless-shell"]),
        ({"chromium"}, True, set(), "chromium", ["chromium-headless-shell"]),
        ({"google-chrome"}, False, set(), "google-chrome", []),
        (set(), True, {"chromium"}, "chromium", ["chromium-headless-shell", "chromium"]),
        (set(), False, {"chromium"}, "chromium", ["chromium"]),
    ],
    ids="both larger unknown foreign none elsewhere".split(),
)
def test_browser_is_the_smallest_that_can_be_had(
    here: set[str], debian: bool, offers: set[str], drives: str, installs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def install(package: str, *_: str, title: str) -> None:
        asked.append(package)
        here.update({package} & offers)

    monkeypatch.setattr(bootstrap, "from_debian", install)
    monkeypatch.setattr(bootstrap, "is_debian", lambda: debian)
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: f"/bin/{name}" if name in here else None)

    assert bootstrap.browser() == f"/bin/{drives}"
    assert asked == installs


def test_browser_that_cannot_be_had_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "from_debian", lambda *_, title: None)
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: None)

    with pytest.raises(bootstrap.Failed, match="apt-get install chromium"):
        bootstrap.browser()


@pytest.mark.parametrize(
    ("told", "then"),
    [
        ({}, {}),
        ({"PYTHONDONTWRITEBYTECODE": "1"}, {"PYTHONPYCACHEPREFIX": str(bootstrap.BYTECODE)}),
        ({"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": "/cache"}, {"PYTHONPYCACHEPREFIX": "/cache"}),
    ],
)
def test_modules_are_compiled_once_even_where_nothing_may_lie_beside_sources(
    told: dict[str, str], then: dict[str, str]
) -> None:
    bootstrap.keep_bytecode(told)

    assert told == then
