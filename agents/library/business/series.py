"""Real series of prices and employment, from the files of an installed vega-datasets, and the tool that reads them.

`stocks`: monthly closing prices of five companies, 2000-01 to 2010-03. `us-employment`: employees by sector in
thousands, seasonally adjusted, 2006-01 to 2015-12 (US Bureau of Labor Statistics, public domain). Its files are read;
nothing of the package is imported.
"""

import csv
import hashlib
import importlib.util
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from agents.errors import Permanent
from agents.tools.registry import tool
from agents.tools.running import ToolContext

READ: Final = "business.series"
type Dataset = Literal["stocks", "us-employment"]

_SOURCES: Final[dict[str, tuple[str, str, str]]] = {
    "stocks": ("stocks.csv of vega-datasets 0.9.0", "US dollars", "MIT (the package)"),
    "us-employment": (
        "us-employment.csv of vega-datasets 0.9.0, US Bureau of Labor Statistics",
        "thousand employees",
        "public domain",
    ),
}


@dataclass(frozen=True, slots=True)
class Table:
    """All series of a file by name: values by month, "2009-03"."""

    series: dict[str, dict[str, float]]
    sha256: str


@cache
def table(dataset: str) -> Table:
    """The file of a dataset. Raises Permanent where vega-datasets is not installed."""
    path = _folder() / f"{dataset}.csv"
    body = path.read_bytes()
    rows = list(csv.DictReader(body.decode().splitlines()))
    return Table(_prices(rows) if dataset == "stocks" else _sectors(rows), hashlib.sha256(body).hexdigest())


def is_available() -> bool:
    """Whether the files are on this machine."""
    spec = importlib.util.find_spec("vega_datasets")
    return spec is not None and spec.origin is not None


def _folder() -> Path:
    spec = importlib.util.find_spec("vega_datasets")
    if spec is None or spec.origin is None:
        message = "The series are in the package vega-datasets, which is not installed; uv sync --group demo does it."
        raise Permanent(message, code="data_missing")
    return Path(spec.origin).parent / "_data"


def _prices(rows: list[dict[str, str]]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        month = datetime.strptime(row["date"], "%b %d %Y").strftime("%Y-%m")
        found.setdefault(row["symbol"], {})[month] = float(row["price"])
    return found


def _sectors(rows: list[dict[str, str]]) -> dict[str, dict[str, float]]:
    names = [name for name in rows[0] if name not in {"month", "nonfarm_change"}]
    return {name: {row["month"][:7]: float(row[name]) for row in rows} for name in names}


class SeriesRequest(BaseModel):
    """Which series, and until which month; later values are not told."""

    model_config = ConfigDict(extra="forbid")
    dataset: Dataset
    series: list[str] = Field(min_length=1, max_length=10)
    until: str = Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")


class Point(BaseModel):
    """A month and its value."""

    month: str
    value: float


class Series(BaseModel):
    """The series by name, and where they are from."""

    source: str
    unit: str
    licence: str
    sha256: str
    series: dict[str, list[Point]]
    unknown: list[str]


@tool(
    READ,
    title="Business series",
    input=SeriesRequest,
    output=Series,
    risk="low",
    data_scopes=["own-figures", "competitors", "market"],
    timeout=10,
)
def read(given: SeriesRequest, ctx: ToolContext) -> Series:
    """Reads monthly prices of companies, or employment by sector, up to a month."""
    known = table(given.dataset)
    source, unit, licence = _SOURCES[given.dataset]
    return Series(
        source=source,
        unit=unit,
        licence=licence,
        sha256=known.sha256,
        series={
            name: [
                Point(month=month, value=value) for month, value in known.series[name].items() if month <= given.until
            ]
            for name in dict.fromkeys(given.series)
            if name in known.series
        },
        unknown=[name for name in given.series if name not in known.series],
    )
