"""The Celery application: clock (beat) and dispatcher. The queue itself is the database (docs/architecture.md, idea 6)."""

import os
from importlib import import_module

from celery import Celery, signals

from config import garbage

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("marketplace")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def watch_sweeps(**_: object) -> None:
    """Have sweeps measured and their log lines named, in the process that runs them."""
    import_module("config.sweeping")


signals.import_modules.connect(watch_sweeps)


def settle_garbage(**_: object) -> None:
    """Look for garbage less often, in the worker and in those it forks."""
    garbage.settle()


signals.worker_init.connect(settle_garbage)
