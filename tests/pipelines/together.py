"""Several things at the same time, each in a thread with its own connection to the database."""

import threading

from django.db import connection


def together(*works):
    """Runs them at the same time, each in a thread; what they return."""
    barrier, found = threading.Barrier(len(works)), []

    def run(work):
        barrier.wait()
        try:
            found.append(work())
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(works)
    return found
