"""Background work of the catalog: each task is one call of a plain function."""

from celery import shared_task

from catalog import runs, sync


@shared_task
def tick() -> None:
    """Hands out the sources that are due and the runs that got lost."""
    for run_id in runs.offer():
        sync_source.delay(run_id)
    sync.retire_orphans()


@shared_task
def sync_source(run_id: int) -> None:
    """Does one SyncRun."""
    sync.run(run_id)
