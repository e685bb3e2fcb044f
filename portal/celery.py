"""The Celery application; `celery -A portal` finds it here."""

import os

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

# Whatever names `filesystem://` gets ours, whose messages can't be read half-written.
TRANSPORT_ALIASES["filesystem"] = "portal.file_broker:Transport"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("stagedoor")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
