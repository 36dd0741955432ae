"""`python -m agents.client run module:function [module:function ...] --url URL --token TOKEN`."""

import argparse
import importlib
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from . import Refused, Worker
from .renewing import stored
from .worker import Agent


def main(arguments: Sequence[str]) -> int:
    """Run a worker until SIGTERM or Ctrl-C; 0 when it has ended well."""
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    token = stored(given.token_file) or given.token
    if not token:
        return _problem(
            "There is no token; give --token, or set WATCHKEEPER_TOKEN, or name a --token-file that has one."
        )
    sys.path.insert(0, str(Path.cwd()))
    try:
        agents = [_load(place) for place in given.agents]
    except (ImportError, AttributeError, ValueError) as problem:
        return _problem(f"{problem}; write module:function, and decorate it with agents.client.agent.")
    worker = Worker(given.url, token, agents=agents, name=given.name, concurrency=given.concurrency)
    worker.when_away(lease=given.lease, keep=given.keep)
    if given.token_file:
        worker.keep_token(given.token_file)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    try:
        worker.run(calls=given.calls)
    except Refused as refusal:
        stale = refusal.status == 401 and given.token_file and given.token_file.exists()
        return _problem(
            f"{refusal} ({given.token_file} was read; remove it to go on with --token)" if stale else str(refusal)
        )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m agents.client", description="Do the work of external agents.")
    run = parser.add_subparsers(dest="verb", required=True).add_parser("run", help="fetch calls and answer them")
    run.add_argument("agents", nargs="+", metavar="module:function")
    run.add_argument("--url", default=os.environ.get("WATCHKEEPER_URL", "http://127.0.0.1:8000"))
    run.add_argument("--token", default=os.environ.get("WATCHKEEPER_TOKEN", ""), help="or WATCHKEEPER_TOKEN")
    run.add_argument(
        "--token-file", type=Path, help="where renewed secrets are kept, for a restart; read first if it exists"
    )
    run.add_argument("--name", default="", help="what people see; by default host and process")
    run.add_argument("--concurrency", type=int, default=4)
    run.add_argument("--lease", type=float, help="seconds that the link may be away before a call is given to others")
    run.add_argument("--keep", type=Path, help="folder for answers that cannot be sent yet; one for each worker")
    run.add_argument("--calls", type=int, help="end after so many calls")
    return parser


def _load(place: str) -> Agent:
    module, _, name = place.partition(":")
    found = getattr(importlib.import_module(module), name)
    if not isinstance(found, Agent):
        raise ValueError(f"{place} is no agent")
    return found


def _problem(text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
