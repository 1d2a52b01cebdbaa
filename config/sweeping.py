"""Sweeps as Prometheus and OpenTelemetry see them: how long each took, whether it broke off, what came of its items."""

import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

from celery import signals

from config import metrics, spans
from config.logs import request_id
from ledger import sweeps

if TYPE_CHECKING:
    from opentelemetry.trace import Span

began_s: dict[str, float] = {}  # task id → when; a worker's child runs one at a time
running: list[str] = []
open_spans: "dict[str, Span]" = {}


def begin(*, task_id: str, task: Any, **_: object) -> None:  # noqa: ANN401  Celery's own
    """Remember when a sweep began, and name it in each line it logs."""
    began_s[task_id] = time.perf_counter()
    request_id.set(task_id)
    running[:] = [short(task.name)]
    if (span := spans.sweep_span(short(task.name), task_id=task_id)) is not None:
        open_spans[task_id] = span


def end(*, task_id: str, task: Any, **_: object) -> None:  # noqa: ANN401
    """Note how long it took."""
    at_s = began_s.pop(task_id, None)
    if at_s is not None:
        metrics.SWEEP_S.labels(short(task.name)).observe(time.perf_counter() - at_s)
    if (span := open_spans.pop(task_id, None)) is not None:
        span.end()
    running.clear()


def fail(*, sender: Any, task_id: str = "", exception: Any = None, **_: object) -> None:  # noqa: ANN401
    """Note that it broke off."""
    if exception is not None and (span := open_spans.get(task_id)) is not None:
        span.record_exception(exception)
        span.set_status(import_module("opentelemetry.trace").StatusCode.ERROR)
    metrics.SWEEPS_FAILED.labels(short(sender.name)).inc()


def short(name: str) -> str:
    """Return the sweep's own name."""
    return name.rsplit(".", 1)[-1]


def note(outcome: str, count: int) -> None:
    """Count items of the running sweep: worked, refused or failed."""
    metrics.ITEMS.labels(running[0] if running else "none", outcome).inc(count)


sweeps.listeners.append(note)
signals.task_prerun.connect(begin)
signals.task_postrun.connect(end)
signals.task_failure.connect(fail)
signals.worker_process_shutdown.connect(spans.flush)
