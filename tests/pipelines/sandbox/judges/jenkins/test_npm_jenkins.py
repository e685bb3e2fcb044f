"""npm's jenkins, which knows nothing of the sandbox, uses it as a Jenkins."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.npm import install

pytestmark = pytest.mark.node
HERE = Path(__file__).parent


@pytest.fixture
def seen(sandbox):
    """What the client saw of a sandbox in which one job is slow."""
    jenkins = sandbox.jenkins
    jenkins.pipeline("team/app", parameters=["BRANCH"], labels=True)
    jenkins.pipeline("team/slow", steps=[{"name": "Sleep", "seconds": 4_000}])
    jenkins.pipeline("team/site", multibranch=True, branches=["main"])
    address = jenkins.base_url.replace("://", f"://{jenkins.user}:{jenkins.token}@")
    done = subprocess.run(
        ["node", "judge.js"],
        cwd=install("judge-jenkins", HERE),
        env={**os.environ, "JENKINS_URL": address},
        capture_output=True,
        timeout=60,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_lists_starts_follows_and_stops(sandbox, seen):
    assert seen["info"]["_class"] == "hudson.model.Hudson"
    assert seen["jobs"] == ["app", "slow", "site"]
    assert (seen["job"], seen["exists"]) == ("team/app", [True, False])
    build = seen["build"]
    assert (build["number"], build["result"], build["queueId"]) == (1, "SUCCESS", seen["queued"])
    assert seen["log"].startswith("Started by user Stagedoor\n")
    assert seen["log"].endswith("Finished: SUCCESS\n")
    assert seen["followed"] == seen["log"]
    assert seen["stopped"] == "ABORTED"
    assert "team/none" in seen["refusal"]["text"]
    assert sandbox.jenkins.build("team/app", 1).parameters["BRANCH"] == "dev"
    # Other clients read a growing log by GET.
    asked = {entry.method for entry in sandbox.requests("jenkins", "log") if "Text" in entry.path}
    assert "POST" in asked
