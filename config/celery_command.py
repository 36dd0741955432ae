"""Celery's commands `worker` and `beat`: `python -m config.celery_command worker -Q shifts`.

`python -m celery` loads all commands there are. One is an interactive shell: 15 MB in every process of a worker, and a
third of a second of each start. `celery -A config worker` does the same work, and costs that much more.
"""

import gc
import os
import sys

if __name__ == "__main__":
    # What is loaded stays: to look through it for garbage, again and again, is an eighth of each start.
    gc.disable()
# Read by the settings: here nobody signs in.
os.environ["WATCHKEEPER_PAGES"] = "0"
# What they load if it is there, and no worker needs; of each process rich takes 4 MB, pygments 2 and greenlet 1. Celery
# leashes its processes through cffi, whose parser of C is 7: without it through ctypes. Others may have them.
_UNUSED = [name for name in ("rich", "pygments", "greenlet", "cffi") if name not in sys.modules]
sys.modules.update(dict.fromkeys(_UNUSED))  # type: ignore[arg-type]
import click  # noqa: E402
import structlog  # noqa: E402, F401
from celery.bin.base import CLIContext  # noqa: E402
from celery.bin.beat import beat  # noqa: E402
from celery.bin.worker import worker  # noqa: E402

from config.celery import app  # noqa: E402

for name in _UNUSED:
    del sys.modules[name]


@click.group(commands=[worker, beat])
@click.pass_context
def main(context: click.Context) -> None:
    """Run one of the product's Celery processes."""
    context.obj = CLIContext(app=app, no_color=True, workdir=None)


if __name__ == "__main__":
    app.loader.init_worker()  # which both commands begin with
    gc.freeze()
    gc.enable()
    main()
