"""The Celery application; `celery -A portal` finds it here."""

import os
from typing import Any

from celery import Celery, bootsteps
from celery.beat import EmbeddedService
from click import Option
from kombu.transport import TRANSPORT_ALIASES

# Whatever names `filesystem://` gets ours, whose messages can't be read half-written.
TRANSPORT_ALIASES["filesystem"] = "portal.file_broker:Transport"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("stagedoor")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


class BeatThread(bootsteps.StartStopStep):
    """`celery worker --with-beat`: beat in a thread, which saves the memory of a whole process.

    Celery's own -B makes a process of it, unless the pool is of green threads.
    """

    conditional = True
    label = "Beat"

    def __init__(self, worker: Any, with_beat: bool = False, **options: Any) -> None:
        super().__init__(worker, **options)
        self.enabled = with_beat

    def create(self, worker: Any) -> Any:
        scheduler = worker.app.conf.beat_scheduler
        return EmbeddedService(worker.app, thread=True, scheduler_cls=scheduler)


app.user_options["worker"].add(
    Option(("--with-beat",), is_flag=True, help="Run beat in a thread of this worker.")
)
app.steps["worker"].add(BeatThread)
