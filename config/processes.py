"""One child process of the supervisor: started on a leash, restarted with back-off, stopped with its whole group."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from config.datadir import DataDir
from config.leash import leashed

_LONGEST_PAUSE_S = 15.0
_HEALTHY_AFTER_S = 30.0
_TELLING_FAILURES = 4


class Child:
    """A process that should always be running."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str], home: DataDir) -> None:
        self.name = name
        self._command = list(command)
        self._env = dict(env)
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None
        self._began = 0.0
        self._failures = 0
        self._due = 0.0

    @property
    def pid(self) -> int:
        """Its process id while it runs, or 0."""
        return self._process.pid if self._process else 0

    @property
    def log(self) -> Path:
        """Where it writes."""
        return self._home.log(self.name)

    def start(self) -> None:
        """Start it in a process group of its own, so that the terminal's Ctrl-C reaches only the supervisor."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                **leashed(self._command, signal.SIGKILL),
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
                umask=0o077,  # what we write may hold what agents were given
            )
        self._began = time.monotonic()

    def tend(self) -> str:
        """Notice its end, start it again when its pause is over; returns a sentence when there is something to say."""
        now = time.monotonic()
        if self._process is None:
            if now >= self._due:
                self.start()
            return ""
        code = self._process.poll()
        if code is None:
            return ""
        self._sweep_group(signal.SIGKILL)
        self._process = None
        self._failures = 1 if now - self._began > _HEALTHY_AFTER_S else self._failures + 1
        pause = min(0.2 * 2 ** (self._failures - 1), _LONGEST_PAUSE_S)
        self._due = now + pause
        return self._report(code, pause)

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""
        return self._process.poll() if self._process else 0

    def ask_to_stop(self) -> None:
        """SIGTERM to the process alone: a web server drains, a worker tells its pool to hand back what it holds."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)

    def stopped(self) -> bool:
        """Whether it has ended."""
        return self._process is None or self._process.poll() is not None

    def kill(self) -> None:
        """End it and whatever it started, at once."""
        self._sweep_group(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
            self._process = None

    def last_words(self) -> str:
        """The last line it wrote."""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 4000))
            lines = log.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def _sweep_group(self, ending: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, ending)

    def _report(self, code: int, pause: float) -> str:
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        if self._failures < _TELLING_FAILURES:
            return f"{self.name} {how}; starting it again."
        again = f"{self.name} {how}, the {self._failures}th time in a row; next try in {pause:.0f} s."
        return f"{again} It said: {self.last_words()} ({self.log})"
