"""npm's drone-node, which knows nothing of the sandbox, uses it as a Drone."""

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
    """What the client saw."""
    drone = sandbox.drone
    drone.pipeline("acme/app", branches=["main", "dev"], steps=[{"name": "Build", "seconds": 1}])
    gate = {"name": "release", "gate": True}
    drone.pipeline("acme/gated", steps=[gate, {"name": "Deploy", "seconds": 1}])
    drone.pipeline("acme/off", active=False)
    done = subprocess.run(
        ["node", "judge.js"],
        cwd=install("judge-drone", HERE),
        env={**os.environ, "DRONE_URL": drone.base_url, "DRONE_TOKEN": drone.token},
        capture_output=True,
        timeout=60,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_starts_promotes_approves_and_cancels(seen):
    assert seen["self"]["login"] == "stagedoor"
    assert seen["repos"] == ["acme/app", "acme/gated", "acme/off"]
    assert seen["repo"]["permissions"] == {"read": True, "write": True, "admin": True}
    assert (seen["started"]["event"], seen["started"]["target"]) == ("custom", "dev")
    assert "stages" not in seen["started"]
    build = seen["build"]
    assert (build["status"], build["stages"][0]["steps"][0]["name"]) == ("success", "Build")
    assert [piece["out"] for piece in seen["log"]] == ["+ build\n", "Build\n"]
    promoted = seen["promoted"]
    assert (promoted["event"], promoted["deploy_to"], promoted["parent"]) == (
        "promote",
        "staging",
        1,
    )
    assert (seen["rolledBack"]["event"], seen["retried"]["parent"]) == ("rollback", 1)
    assert (seen["builds"], seen["recent"]) == ([4, 3], [4, 3, 2, 1])
    words = [seen[name] for name in ("waiting", "approved", "declined", "cancelled")]
    assert words == ["pending", "success", "declined", "killed"]
    assert (seen["enabled"], seen["disabled"]) == (True, False)
    assert "404" in seen["refusal"]
