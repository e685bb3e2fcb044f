"""What a list of pipelines does not tell, asked for one pipeline while somebody looks at it."""

from datetime import datetime, timedelta

from pipelines.bounds import text
from pipelines.listing import parameters_of
from pipelines.models import Pipeline
from pipelines.providers.base import Capability
from pipelines.providers.errors import BudgetSpent, ProviderError
from pipelines.providers.provider import Provider

EVERY = timedelta(minutes=10)


def read_details(client: Provider, pipeline: Pipeline, now: datetime) -> None:
    """Reads the parameters where only get_pipeline() tells them and they are old.

    A failure keeps what is known until the next time. Raises BudgetSpent.
    """
    if Capability.DETAILS not in client.capabilities:
        return
    if pipeline.details_read_at and pipeline.details_read_at > now - EVERY:
        return
    row = Pipeline.objects.filter(pk=pipeline.pk)
    try:
        remote = client.get_pipeline(pipeline.external_id)
    except BudgetSpent:
        raise
    except ProviderError:
        row.update(details_read_at=now)
        return
    # The name may belong to another pipeline by now; the next list will tell.
    if remote.stable_id and pipeline.stable_id not in ("", remote.stable_id):
        return
    if remote.parameters is not None:
        row.update(parameters=parameters_of(remote))
    row.update(
        details_read_at=now,
        runnable=remote.runnable,
        active=remote.active,
        default_branch=text(remote.default_branch or pipeline.default_branch, 255),
    )
