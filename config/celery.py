"""The Celery application. Its broker is a doorbell: no results, no chords, every message may be lost or doubled."""

import gc
import os
import signal
from typing import Any

from celery import Celery
from celery.schedules import crontab
from celery.signals import task_postrun, task_prerun, worker_process_init
from django.conf import settings
from django.utils import timezone
from kombu.transport import TRANSPORT_ALIASES

from agents import tracing
from config.leash import die_with_parent
from orchestrator.engine.lanes import queue_of

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# `migrate` has checked the project before workers start. Here the checks would load every page: 9 MB a process, 0.5 s.
os.environ.setdefault("CELERY_SKIP_CHECKS", "yes")

# Found before Celery resolves the address; the modules say what they do better.
TRANSPORT_ALIASES["filesystem"] = "config.broker:Transport"
TRANSPORT_ALIASES["redis"] = TRANSPORT_ALIASES["rediss"] = "config.redis_broker:Transport"

_ON_FILES = settings.BROKER_URL.startswith("filesystem:")


def _doorbell(task: str, *, every: float, app: str = "orchestrator") -> dict[str, Any]:
    # Expires: what nobody took in time is superseded by the next one.
    return {
        "task": f"{app}.tasks.{task}",
        "schedule": every,
        "options": {"queue": "control", "expires": every * 2},
    }


def _at(task: str, slot: crontab) -> dict[str, Any]:
    return {"task": task, "schedule": slot, "options": {"queue": "control", "expires": 3600}}


def _file_broker() -> dict[str, Any]:
    folder = settings.DATA_DIR / "broker"
    for name in ("messages", "control"):
        (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    messages = str(folder / "messages")
    return {
        "data_folder_in": messages,
        "data_folder_out": messages,
        "control_folder": str(folder / "control"),
        "polling_interval": 0.05,
    }


def _remote_broker() -> dict[str, Any]:
    # Who rings must not wait for a broker that is away: left alone, kombu tries for ever before it publishes.
    return {"max_retries": 1, "interval_start": 0.0, "interval_step": 0.1, "interval_max": 0.1}


app = Celery("watchkeeper")
app.conf.update(
    broker_url=settings.BROKER_URL,
    broker_connection_retry_on_startup=True,
    # A worker outlives its broker: it tries again for ever, and what it works on meanwhile goes on.
    broker_connection_max_retries=None,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    broker_transport_options=_file_broker() if _ON_FILES else _remote_broker(),
    accept_content=["json"],
    result_backend=None,
    task_ignore_result=True,
    task_store_errors_even_if_ignored=False,
    task_default_queue="control",
    task_routes={"orchestrator.tasks.work_shift": {"queue": queue_of(settings.POOL)}},
    # A shift holds its process for SHIFT_SECONDS: a prefetched second one would wait behind it.
    worker_prefetch_multiplier=1,
    # Files cannot carry broadcasts cheaply, and our own heartbeats and stops do not need them.
    worker_enable_remote_control=not _ON_FILES,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    enable_utc=True,
    timezone="UTC",
    beat_schedule_filename=str(settings.DATA_DIR / "beat-schedule"),
    beat_max_loop_interval=1,
    beat_schedule={
        "ensure-shifts": _doorbell("ensure_shifts", every=2.0),
        "sweep": _doorbell("sweep", every=1.0),
        "keep-time": _doorbell("keep_time", every=2.0),
        "sequence": _doorbell("sequence", every=2.0),
        "tend-signals": _doorbell("tend_signals", every=3600.0),
        "rescue": _doorbell("rescue", every=5.0),
        "tell-people": _doorbell("tell_people", every=1.0, app="approvals"),
        "watch-alerts": _doorbell("watch_alerts", every=1.0, app="monitoring"),
        "forget-alert-counts": _doorbell("forget_alert_counts", every=3600.0, app="monitoring"),
        # Nothing is rung for where nothing goes out.
        **({"export": _doorbell("export", every=2.0, app="monitoring")} if settings.OUTLETS else {}),
        "measure": _doorbell("measure", every=5.0, app="monitoring"),
        "answer-questions": _doorbell("answer_questions", every=1.0, app="approvals"),
        "forget-notices": _doorbell("forget_notices", every=3600.0, app="approvals"),
        "tend-ledger": _doorbell("tend_ledger", every=3600.0),
        "purge-results": _doorbell("purge_results", every=600.0),
        "watch-agents": {**_doorbell("watch_agents", every=30.0), "task": "agents.tasks.watch_agents"},
        "forget-records": _at("agents.tasks.forget_records", crontab(minute=40)),
        "watch-gates": {**_doorbell("watch_gates", every=60.0), "task": "approvals.tasks.watch_gates"},
        "draw-weekly": _at("orchestrator.tasks.draw_weekly", crontab(day_of_week=1, hour=6, minute=10)),
        "learn": _doorbell("learn", every=10.0, app="approvals"),
        "propose": _doorbell("propose", every=600.0, app="approvals"),
        "keep-able": _doorbell("keep_able", every=60.0, app="approvals"),
        "index-mentions": _doorbell("index_mentions", every=2.0, app="monitoring"),
        "draft-cases": _doorbell("draft_cases", every=3600.0, app="approvals"),
        "evaluate-nightly": _at("agents.tasks.evaluate_nightly", crontab(hour=2, minute=10)),
        "tell-digests": _at("monitoring.tasks.tell_digests", crontab(minute=15)),
        "begin-month": _at("monitoring.tasks.begin_month", crontab(day_of_month=1, hour=0, minute=1)),
        "evaluate-monthly": _at("agents.tasks.evaluate_monthly", crontab(day_of_month=1, hour=3, minute=10)),
    },
)
app.autodiscover_tasks()


@task_prerun.connect
def _continue_trace(task: Any = None, **_: object) -> None:
    header = getattr(task.request, tracing.HEADER, "") or (task.request.headers or {}).get(tracing.HEADER, "")
    if header:
        task.request.trace = tracing.opened(header, recorded=bool(settings.TRACES["endpoint"]))
        trace = task.request.trace.__enter__()
        trace.by_message, task.request.trace_began = True, timezone.now()


@task_postrun.connect
def _end_trace(task: Any = None, state: str = "", **_: object) -> None:
    opened = getattr(task.request, "trace", None)
    trace = tracing.current()
    if opened is None or trace is None:
        return
    opened.__exit__(None, None, None)
    if settings.TRACES["endpoint"]:
        from monitoring.telemetry import own_spans  # noqa: PLC0415 - a worker without traces need not load it

        own_spans.put(
            trace, name=f"run {task.name.rpartition('.')[2]}", kind="consumer", began=task.request.trace_began,
            ended=timezone.now(), failed=state == "FAILURE", facts={"messaging.system": "celery"},
        )  # fmt: skip


@worker_process_init.connect
def _leash_pool_process(**_: object) -> None:
    # A killed worker must not leave its pool behind, busy with leases that nobody will hand back.
    die_with_parent(signal.SIGKILL)
    # What is loaded stays: a full collection would look at all of it again, in the middle of somebody's decision.
    gc.freeze()
