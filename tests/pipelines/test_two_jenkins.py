"""One service whose jobs are on two Jenkins: each is read on its own server, and named by it."""

import pytest
from django.utils import timezone

from pipelines.builds import refresh, want
from pipelines.linking import link_entities
from pipelines.listing import refresh_pipelines
from pipelines.models import Build, LinkProblem, PipelineLink
from tests.pipelines.world import make_service

pytestmark = pytest.mark.django_db
KEYS = {
    "jenkins.io/job-full-name": "{0}:team/app, {1}:team/app",
    "jenkins.io/github-folder": "{1}:team/site",
}


@pytest.fixture
def servers(sandbox, server_at):
    """Two Jenkins that have a job of one name, with different histories."""
    found = []
    for slug, history in (("east", 2), ("west", 3)):
        handle = sandbox.add("jenkins", slug)
        handle.pipeline("team/app", history=history)
        if slug == "west":
            handle.pipeline(
                "team/site", multibranch=True, branches=["main", "feature/x"], history=1
            )
        server = server_at(handle)
        refresh_pipelines(server)
        found.append(server)
    return found


def test_a_service_may_have_jobs_of_one_name_on_two_jenkins(servers):
    slugs = [server.slug for server in servers]
    make_service("shop", {key: value.format(*slugs) for key, value in KEYS.items()})
    link_entities()
    assert not LinkProblem.objects.exists()
    linked = [link.pipeline for link in PipelineLink.objects.select_related("pipeline__server")]
    assert {(pipeline.server.slug, pipeline.external_id) for pipeline in linked} == {
        (slugs[0], "team/app"),
        (slugs[1], "team/app"),
        (slugs[1], "team/site"),
    }
    want(linked, timezone.now())
    for pipeline in linked:
        refresh(pipeline.pk)
    kept = {
        (pipeline.server.slug, pipeline.external_id): sorted(
            Build.objects.filter(pipeline=pipeline).values_list("external_id", flat=True)
        )
        for pipeline in linked
    }
    assert kept == {
        (slugs[0], "team/app"): ["1", "2"],
        (slugs[1], "team/app"): ["1", "2", "3"],
        (slugs[1], "team/site"): ["feature%2Fx/1", "main/1"],
    }
