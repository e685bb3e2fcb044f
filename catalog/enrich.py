"""What a reading looks at beside the descriptors once these are applied: pull requests, docs.

Best effort: whatever fails here is a problem of the source and never fails its reading.
"""

import logging
from collections.abc import Callable
from functools import partial

from django.utils import timezone

from catalog import issues, repositories
from catalog.docs.reading import read_docs
from catalog.models import SyncIssue, SyncRun
from catalog.reading import Issue
from catalog.sources import Reader
from catalog.sources.base import RepositoryReader

logger = logging.getLogger(__name__)

REPOSITORY_STAGE = "repository"


def after(run: SyncRun, reader: Reader, touched: set[int], changed: set[str]) -> None:
    """`touched` are the pks of entities, `changed` the external ids of repositories."""
    now = timezone.now()
    steps: list[tuple[str, Callable[[], object]]] = [
        (issues.DOCS_STAGE, partial(read_docs, run.source, reader, touched, now))
    ]
    if isinstance(reader, RepositoryReader):
        read = repositories.read_pull_requests
        steps.append((REPOSITORY_STAGE, partial(read, run.source, reader, changed, now)))
    for stage, step in steps:
        sentence = f"Stagedoor failed to read the {stage} of this source; its log says why."
        SyncIssue.objects.filter(source=run.source, stage=stage, message=sentence).delete()
        try:
            step()
        except Exception:
            logger.exception("sync run %s could not read %s", run.pk, stage)
            issues.save(run, [Issue(run.source.target, stage, sentence)])
