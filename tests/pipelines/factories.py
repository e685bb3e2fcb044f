"""Rows for tests of the pipelines room, each made with what its test says and nothing else."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from catalog.models import Entity, Source
from pipelines.models import Build, Pipeline, PipelineLink, Server


def make_source(slug: str = "org", **fields: Any) -> Source:
    values = {"name": slug, "kind": "path", "target": "/nowhere", "trusted_for_org": True}
    return Source.objects.get_or_create(slug=slug, defaults={**values, **fields})[0]


def make_entity(name: str = "payments-api", kind: str = "Component", **fields: Any) -> Entity:
    document = {"apiVersion": "backstage.io/v1alpha1", "kind": kind, "metadata": {"name": name}}
    document["metadata"]["annotations"] = fields.pop("annotations", {})
    values = {
        "ref": f"{kind.lower()}:default/{name}",
        "kind": kind,
        "name": name,
        "document": document,
        "digest": "",
        "location": f"{name}/catalog-info.yaml",
        "source": fields.pop("source", None) or make_source(),
    }
    return Entity.objects.create(**{**values, **fields})


def make_server(slug: str = "jenkins", provider: str = "jenkins", **fields: Any) -> Server:
    values = {
        "name": slug.capitalize(),
        "provider": provider,
        "base_url": "http://127.0.0.1:1/jenkins",
        "credential_ref": "env:STAGEDOOR_CREDENTIAL_TEST",
        "claims": [{"source": "org", "pipelines": "*"}],
    }
    return Server.objects.get_or_create(slug=slug, defaults={**values, **fields})[0]


def make_pipeline(
    external_id: str = "payments-api", server: Server | None = None, **fields: Any
) -> Pipeline:
    values = {"name": external_id, "default_branch": "main", "builds_read_at": timezone.now()}
    return Pipeline.objects.create(
        server=server or make_server(), external_id=external_id, **{**values, **fields}
    )


def make_link(
    entity: Entity | None = None, pipeline: Pipeline | None = None, **fields: Any
) -> PipelineLink:
    values = {"status": "confirmed", "annotation": "jenkins.io/job-full-name"}
    return PipelineLink.objects.create(
        entity=entity or make_entity(),
        pipeline=pipeline or make_pipeline(),
        **{**values, **fields},
    )


def make_build(
    pipeline: Pipeline, number: int, state: str = "passed", minutes_ago: float = 0, **fields: Any
) -> Build:
    at: datetime = timezone.now() - timedelta(minutes=minutes_ago)
    values = {
        "external_id": str(number),
        "raw_state": state,
        "branch": "main",
        "queued_at": at,
        "observed_at": timezone.now(),
    }
    return Build.objects.create(
        pipeline=pipeline, number=number, state=state, **{**values, **fields}
    )
