"""The data directory: what it refuses to touch."""

import stat
from pathlib import Path

import pytest

from config.datadir import DataDir, NeedsAttention


def test_create_in_a_folder_with_somebody_elses_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")

    with pytest.raises(NeedsAttention, match="not Watchkeeper's"):
        DataDir(tmp_path).create()


def test_empty_in_a_folder_with_somebody_elses_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")

    with pytest.raises(NeedsAttention):
        DataDir(tmp_path).empty()

    assert (tmp_path / "thesis.txt").exists()


def test_empty_removes_data_and_keeps_the_folders_of_other_ports(tmp_path: Path) -> None:
    home = DataDir(tmp_path)
    home.create()
    home.secret("django")
    DataDir(tmp_path / "port-8001").create()

    home.empty()

    assert not (tmp_path / "secrets").exists()
    assert (tmp_path / "port-8001" / "secrets").exists()


def test_first_stack_finds_only_what_the_bootstrap_and_the_tests_made(tmp_path: Path) -> None:
    kept = {"bootstrap.lock", "install.log", "debian.log"}
    for name in (*kept, "data.keys"):
        (tmp_path / name).touch()
    for name in ("tools", "bytecode", "broker"):
        (tmp_path / name).mkdir()

    home = DataDir(tmp_path)
    home.create()
    home.empty()

    assert {entry.name for entry in tmp_path.iterdir()} == {*kept, "tools", "bytecode"}


def test_create_where_a_file_is_in_the_way_names_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(NeedsAttention, match="WATCHKEEPER_DATA"):
        DataDir(tmp_path / "file" / "data").create()


def test_lock_held_by_another_is_refused(tmp_path: Path) -> None:
    first, second = DataDir(tmp_path), DataDir(tmp_path)
    first.create()
    first.lock()

    with pytest.raises(NeedsAttention, match="already running"):
        second.lock()
    first.unlock()
    second.lock()
    second.unlock()


def test_secret_is_stable_and_private(tmp_path: Path) -> None:
    home = DataDir(tmp_path)
    home.create()

    secret = home.secret("django")

    assert DataDir(tmp_path).secret("django") == secret
    assert stat.S_IMODE((tmp_path / "secrets" / "django").stat().st_mode) == 0o600


def test_of_gives_each_port_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHKEEPER_DATA", raising=False)

    assert DataDir.of(tmp_path, 8000).path == tmp_path / ".watchkeeper"
    assert DataDir.of(tmp_path, 8001).path == tmp_path / ".watchkeeper" / "port-8001"
