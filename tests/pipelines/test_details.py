"""Parameters that only get_pipeline() tells are read while somebody looks."""

from datetime import timedelta

import pytest
from django.utils import timezone

from pipelines import builds
from pipelines.models import Pipeline
from pipelines.providers import PROVIDERS
from pipelines.providers.base import Capability
from tests.pipelines.world import make_pipeline

pytestmark = pytest.mark.django_db
TOLD = sorted(slug for slug, a in PROVIDERS.items() if Capability.DETAILS in a.capabilities)


@pytest.fixture(params=TOLD)
def pipeline(request, sandbox, server_at):
    handle = sandbox.instances[request.param]
    handle.pipeline("acme/shop")
    options = {"workspaces": ["acme"]} if request.param == "bitbucket" else {}
    stale = [{"name": "STALE", "type": "string"}]
    return make_pipeline(server_at(handle, options=options), "acme/shop", parameters=stale)


def read(pipeline, looked_at=True):
    now = timezone.now()
    wanted = now if looked_at else now - timedelta(hours=1)
    Pipeline.objects.update(
        refresh_wanted_at=wanted, builds_tried_at=None, not_before=None, asked_at=[]
    )
    assert builds.refresh(pipeline.pk)
    pipeline.refresh_from_db()


def test_details_are_read_for_those_who_look(pipeline):
    read(pipeline)
    assert pipeline.details_read_at
    assert "STALE" not in [parameter["name"] for parameter in pipeline.parameters]
    before = pipeline.details_read_at
    read(pipeline)
    assert pipeline.details_read_at == before  # not every time


def test_details_are_not_read_when_nobody_looks(pipeline):
    read(pipeline, looked_at=False)
    assert pipeline.details_read_at is None


def test_details_that_can_not_be_read_leave_what_is_known(pipeline, monkeypatch):
    """A get_pipeline() that finds nothing there: the list of builds still counts."""
    ours = PROVIDERS[pipeline.server.provider]
    wrong = ours.get_pipeline
    monkeypatch.setattr(ours, "get_pipeline", lambda self, name: wrong(self, f"{name}-hidden"))
    read(pipeline)
    assert [parameter["name"] for parameter in pipeline.parameters] == ["STALE"]
    assert (pipeline.builds_error, pipeline.details_read_at is None) == ("", False)
