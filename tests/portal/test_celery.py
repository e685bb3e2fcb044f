"""A worker with beat in a thread, on the tests' database."""

import time

import pytest

from portal.models import Heartbeat
from tests.pipelines.worker import Worker

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_worker_with_beat_shows_both_and_ticks(tmp_path):
    worker = Worker(tmp_path)
    worker.start("--pool", "threads", "--with-beat")
    try:
        deadline = time.monotonic() + 60
        while not {"beat", "worker", "tick"} <= set(Heartbeat.objects.values_list("pk", flat=True)):
            assert worker.running, worker.log
            assert time.monotonic() < deadline, worker.log
            time.sleep(0.2)
    finally:
        worker.kill()
