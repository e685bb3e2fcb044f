"""The rows that tests of this room begin with: servers, pipelines, services, people with roles."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group, User
from django.utils import timezone

from catalog.models import Entity, Source
from pipelines.models import Build, Environment, EnvironmentRule, Pipeline, PipelineLink, Server
from pipelines.providers import PROVIDERS
from pipelines.providers.base import Capability
from portal.models import Role, RoleMapping
from portal.roles import seed_roles
from tests.pipelines.providers.traits import traits_of

BUILDKITE_KEY = "buildkite.com/pipeline-slug"
JENKINS_KEY = "jenkins.io/job-full-name"
# Nothing listens there.
NOWHERE = "http://127.0.0.1:9"


def make_server(slug: str = "buildkite", provider: str = "buildkite", **fields: Any) -> Server:
    """A server whose pipelines have been read."""
    values = {
        "name": slug.capitalize(),
        "provider": provider,
        "base_url": NOWHERE,
        "credential_ref": "env:STAGEDOOR_CREDENTIAL_TEST",
        "pipelines_read_at": timezone.now(),
        **fields,
    }
    return Server.objects.create(slug=slug, **values)


def make_pipeline(server: Server, external_id: str, **fields: Any) -> Pipeline:
    """A pipeline as a list would have given it."""
    values = {"name": external_id, "default_branch": "main", "listed_at": timezone.now(), **fields}
    return Pipeline.objects.create(server=server, external_id=external_id, **values)


def make_source(slug: str = "payments") -> Source:
    """A catalog source; the same one for the same slug."""
    return Source.objects.get_or_create(
        slug=slug, defaults={"name": slug, "kind": "path", "enabled": False}
    )[0]


def make_service(
    name: str, annotations: dict[str, str] | None = None, *, source: str = "payments", **fields: Any
) -> Entity:
    """A Component whose annotations stand on the lines from 7 on."""
    annotations = annotations or {}
    metadata = {"name": name, "annotations": annotations}
    values = {
        "kind": "Component",
        "name": name,
        "document": {"metadata": metadata, "spec": {}},
        "source": make_source(source),
        "location": f"{source}/{name}.yaml",
        "annotation_lines": {key: 7 + position for position, key in enumerate(annotations)},
        **fields,
    }
    return Entity.objects.create(ref=f"component:default/{name}", **values)


def confirmed_link(entity: Entity, pipeline: Pipeline) -> PipelineLink:
    """A link that an administrator confirmed."""
    return PipelineLink.objects.create(
        entity=entity,
        pipeline=pipeline,
        status=PipelineLink.Status.CONFIRMED,
        annotation=BUILDKITE_KEY,
        confirmed_at=timezone.now(),
        confirmed_source=entity.source.slug if entity.source else "",
    )


def make_person(name: str, role: str = "", **scope: Any) -> User:
    """Somebody signed in; with a role, by way of a group of their own."""
    seed_roles()
    user = User.objects.create_user(name, first_name=name.capitalize())
    if role:
        group = f"idp:{name}s"
        user.groups.add(Group.objects.create(name=group))
        RoleMapping.objects.create(group=group, role=Role.objects.get(slug=role), **scope)
    return user


def make_environments() -> tuple[Environment, Environment]:
    """Staging for feature branches, production for all else."""
    staging = Environment.objects.create(slug="staging", name="Staging", rank=20)
    production = Environment.objects.create(slug="production", name="Production", rank=90)
    EnvironmentRule.objects.create(order=10, branch="feature/*", environment=staging)
    return staging, production


def make_build(
    pipeline: Pipeline, number: int, state: str = "passed", minutes_ago: float = 0, **fields: Any
) -> Build:
    """A build of main as it was read, queued so many minutes ago."""
    values = {
        "external_id": str(number),
        "raw_state": state,
        "branch": "main",
        "queued_at": timezone.now() - timedelta(minutes=minutes_ago),
        "observed_at": timezone.now(),
        **fields,
    }
    return Build.objects.create(pipeline=pipeline, number=number, state=state, **values)


def link_to(sandbox: Any, server_at: Any, slug: str, **fields: Any) -> PipelineLink:
    """A link to a pipeline of any provider, as its sandbox has it.

    The service names it, since workers link the catalog anew. More fields are the sandbox's.
    """
    handle, traits, name = sandbox.instances[slug], traits_of(slug), "payments/checkout"
    handle.pipeline(name, **{**traits.pipeline, "branches": ("main",), **fields})
    server = server_at(handle, options=dict(traits.options))
    branch = "main" if Capability.BRANCH in PROVIDERS[slug].capabilities else ""
    service = make_service(slug, annotation_for(slug, name))
    return confirmed_link(service, make_pipeline(server, name, default_branch=branch))


def annotation_for(slug: str, pipeline: str) -> dict[str, str]:
    """An annotation that names the pipeline in the way of its provider."""
    adapter = PROVIDERS[slug]
    for key in adapter.annotation_keys:
        for value in (pipeline, f"https://bitbucket.org/{pipeline}"):
            named = {key: value}
            if [one.pipeline for one in adapter.parse_annotations(named)] == [pipeline]:
                return named
    raise LookupError(f"no annotation of {slug} names {pipeline}")
