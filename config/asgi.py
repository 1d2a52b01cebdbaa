"""ASGI entry point: event streams alone. Pages and API are served by WSGI (config.wsgi)."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from config import garbage  # noqa: E402  models can be imported once Django is set up
from config.streaming import WatchedStreams  # noqa: E402
from marketplace.events import EventStreams  # noqa: E402

application = WatchedStreams(EventStreams())
garbage.settle()
