"""What `make` commands say to the person who typed them: few, calm lines; progress for whatever takes a while.

Runs on Python 3.9 without packages, because the bootstrap speaks through it before anything is installed.
"""

import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Optional

_COLOURS: dict[str, str] = {"green": "32", "red": "31", "yellow": "33", "dim": "2", "bold": "1"}
_WIDTH = 44
_PATIENCE_S = 2.0
_REPEAT_S = 10.0


class Step:
    """One thing being done; `detail` is shown while it lasts, `result` when it is done."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.detail = ""
        self.result = ""
        self.failed = False


class Console:
    """Writes to standard output; plain when that is not a terminal or NO_COLOR is set."""

    def __init__(self) -> None:
        self._live = sys.stdout.isatty()
        self._colour = self._live and not os.environ.get("NO_COLOR")

    def paint(self, text: str, colour: str) -> str:
        """The text in a colour, where colours are wanted."""
        return f"\033[{_COLOURS[colour]}m{text}\033[0m" if self._colour else text

    def say(self, text: str = "") -> None:
        """One line."""
        print(f"  {text}".rstrip(), flush=True)

    def note(self, text: str) -> None:
        """Something that happened and was dealt with."""
        self.say(f"{self.paint('!', 'yellow')} {text}")

    def problem(self, text: str) -> None:
        """Something a person must put right."""
        self.say(f"{self.paint('✗', 'red')} {text}")

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show a step with its elapsed time; past two seconds, show that it goes on."""
        step, done, began = Step(title), threading.Event(), time.monotonic()
        ticker = threading.Thread(target=self._tick, args=(step, done, began), daemon=True)
        ticker.start()
        try:
            yield step
        except BaseException:
            self._finish(ticker, done)
            raise
        self._finish(ticker, done)
        took = f"{time.monotonic() - began:5.1f} s"
        sign = self.paint("✗", "red") if step.failed else self.paint("✓", "green")
        self.say(f"{sign} {step.result or title:<{_WIDTH}}{self.paint(took, 'dim')}")

    def table(self, rows: Sequence[tuple[str, ...]]) -> None:
        """Aligned columns; the first row is the heading."""
        widths: list[int] = [max(len(cell) for cell in column) for column in zip(*rows)]
        for number, row in enumerate(rows):
            line = "   ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
            self.say(line if number else self.paint(line, "dim"))

    def _tick(self, step: Step, done: threading.Event, began: float) -> None:
        said: Optional[float] = None
        while not done.wait(0.2):
            elapsed = time.monotonic() - began
            if self._live:
                line = f"  … {step.title}  {elapsed:.0f} s  {step.detail}"[: self._columns()]
                print(f"\r\033[K{line}", end="", flush=True)
            elif elapsed > _PATIENCE_S and (said is None or elapsed - said > _REPEAT_S):
                said = elapsed
                self.say(f"… {step.title}  {elapsed:.0f} s  {step.detail}")

    def _finish(self, ticker: threading.Thread, done: threading.Event) -> None:
        done.set()
        ticker.join()
        if self._live:
            print("\r\033[K", end="", flush=True)

    @staticmethod
    def _columns() -> int:
        try:
            return os.get_terminal_size().columns - 1
        except OSError:
            return 79
