"""The examples of the README work as they stand there, against a server, by curl."""

import json
import os
import re
import subprocess
import uuid

import pytest
from django.conf import settings

from pipelines import builds, tasks
from pipelines.dispatch import dispatch
from pipelines.models import Build, Trigger
from tests.pipelines.providers.traits import traits_of
from tests.pipelines.world import confirmed_link, make_pipeline, make_service

README = settings.BASE_DIR / "pipelines" / "api" / "README.md"


@pytest.fixture
def link(sandbox, server_at):
    """The demo's, which the examples name."""
    sandbox.jenkins.pipeline(
        "payments/payments-api", queue_seconds=0, **traits_of("jenkins").pipeline
    )
    pipeline = make_pipeline(server_at(sandbox.jenkins), "payments/payments-api")
    return confirmed_link(make_service("payments-api"), pipeline)


def examples():
    for block in re.findall(r"```sh\n(.*?)```", README.read_text(), re.S):
        yield from re.split(r"\n\s*(?=curl)", block.strip())


@pytest.mark.django_db(transaction=True)
def test_the_examples_of_the_readme_work(live_server, api, link, monkeypatch):
    monkeypatch.setattr(tasks.dispatch, "delay_on_commit", lambda pk: None)
    key = str(uuid.uuid4())
    known = {**os.environ, "PORTAL": live_server.url, "TOKEN": api.secret, "KEY": key}

    def run(number, **more):
        command = ["bash", "-c", list(examples())[number]]
        done = subprocess.run(command, env={**known, **more}, capture_output=True, check=True)
        found = json.loads(done.stdout)
        assert "error" not in found, found
        return found

    assert run(0)["pipelines"][0]["actions"]["start"]["effect"] == "allow"
    assert run(1)["agent"] == "Claude"
    dispatch(Trigger.objects.get().pk)
    builds.refresh(link.pipeline.pk)
    build = str(Build.objects.get().pk)
    assert run(2)["build"] == int(build)
    assert run(3, BUILD=build)["person"] == "Ana"
    assert run(4, BUILD=build)["build"] == int(build)
    again = str(uuid.uuid4())
    run(1, KEY=again)
    assert run(5, KEY=again)["state"] == "withdrawn"
    assert len(list(examples())) == 6
