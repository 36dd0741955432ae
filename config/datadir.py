"""The data directory: everything one stack keeps on disk, and the only folder it writes to."""

import fcntl
import os
import secrets
import shutil
from pathlib import Path
from typing import IO

DEFAULT_PORT = 8000
_LOG_LIMIT = 5_000_000
# Kept by `make reset`: what the bootstrap made and the data directories of other ports.
_NOT_DATA = ("tools", "bytecode", "bootstrap.lock", "install.log", "debian.log", "port-")
# What the tests and management commands may have made here before the first stack came up.
_BEFORE_THE_MARK = ("broker", "data.keys")
# In every data directory of ours: without it a folder is somebody else's, and is neither used nor emptied.
_MARK = ".watchkeeper-data"


class NeedsAttention(Exception):
    """Something a person must put right; the message is one sentence that says what and how."""


class DataDir:
    """One stack's folder. Folders above it are never touched."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: IO[str] | None = None

    @classmethod
    def of(cls, root: Path, port: int) -> "DataDir":
        """`WATCHKEEPER_DATA`, or `.watchkeeper` in the project: one folder a port, so that stacks live side by side."""
        if named := os.environ.get("WATCHKEEPER_DATA"):
            return cls(Path(named))
        return cls(root / ".watchkeeper" / ("" if port == DEFAULT_PORT else f"port-{port}"))

    def create(self) -> None:
        """Make the folder and check that it can be written."""
        try:
            self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
            self._refuse_foreign_folder()
            (self.path / _MARK).touch()
            (self.path / "logs").mkdir(mode=0o700, exist_ok=True)
            (self.path / "secrets").mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise NeedsAttention(
                f"The data directory {self.path} cannot be written ({error.strerror}); "
                "free it up or name another with WATCHKEEPER_DATA=/some/folder."
            ) from error

    def _refuse_foreign_folder(self) -> None:
        foreign = [entry for entry in self.contents() if entry.name not in _BEFORE_THE_MARK]
        if foreign and not (self.path / _MARK).exists():
            raise NeedsAttention(
                f"{self.path} holds files that are not Watchkeeper's; name an empty folder with WATCHKEEPER_DATA."
            )

    def lock(self) -> None:
        """Hold the folder for this process; the kernel lets go when it dies."""
        self._lock = (self.path / "supervisor.lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.unlock()
            raise NeedsAttention(
                f"Watchkeeper is already running on {self.path}; "
                "stop it with Ctrl-C in its terminal, or start another with PORT=8001."
            ) from None

    def unlock(self) -> None:
        """Let go of the folder."""
        if self._lock:
            self._lock.close()
            self._lock = None

    def secret(self, name: str) -> str:
        """A random text, made once, readable by its owner only."""
        path = self.path / "secrets" / name
        if not path.exists():
            write_private(path, secrets.token_urlsafe(36))
        return path.read_text().strip()

    def log(self, name: str) -> Path:
        """A log file; one that has grown large is moved aside first."""
        path = self.path / "logs" / f"{name}.log"
        if path.exists() and path.stat().st_size > _LOG_LIMIT:
            path.replace(path.with_suffix(".log.1"))
        return path

    def contents(self) -> list[Path]:
        """What `empty` would remove."""
        if not self.path.is_dir():
            return []
        return sorted(entry for entry in self.path.iterdir() if not entry.name.startswith(_NOT_DATA))

    def empty(self) -> None:
        """Remove all data, and the cluster that `postgres` points to where it lives elsewhere."""
        self._refuse_foreign_folder()
        for entry in self.contents():
            if entry.is_symlink():
                if entry.name == "postgres":
                    shutil.rmtree(entry.resolve().parent, ignore_errors=True)
                entry.unlink()
            elif entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()


def write_private(path: Path, content: str) -> None:
    """Write a file only its owner can read, whole or not at all."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(content)
    draft.replace(path)
