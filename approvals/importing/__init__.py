"""Answers that come in a file: what others did, in another system or a spreadsheet, of steps that wait for it."""

from approvals.importing.carrying import Result, carry_out
from approvals.importing.reading import MOST_BYTES, MOST_LINES, FileUnreadable, Line, read

__all__ = ["MOST_BYTES", "MOST_LINES", "FileUnreadable", "Line", "Result", "carry_out", "read"]
