"""npm's bitbucket, which knows nothing of the sandbox, uses it as Bitbucket Cloud."""

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
    """What the client saw of a sandbox with three repositories."""
    handle = sandbox.instances["bitbucket"]
    for name in ("shop", "cart", "site"):
        handle.pipeline(f"acme/{name}", branches=("main", "dev"))
    address = {"BITBUCKET_URL": handle.base_url, "BITBUCKET_TOKEN": handle.token}
    done = subprocess.run(
        ["node", "judge.js"],
        cwd=install("judge-bitbucket", HERE),
        env={**os.environ, **address},
        capture_output=True,
        timeout=60,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_lists_starts_follows_and_is_refused(sandbox, seen):
    assert (seen["first"], seen["second"]) == (["acme/shop", "acme/cart"], ["acme/site"])
    assert seen["repository"]["mainbranch"] == {"type": "branch", "name": "main"}
    assert seen["branches"] == ["main", "dev"]
    assert seen["started"]["build_number"] == 1
    assert seen["ended"]["state"]["result"]["name"] == "SUCCESSFUL"
    assert [step["name"] for step in seen["steps"]] == ["Build", "Test"]
    assert seen["builds"] == 1
    assert seen["stopped"]["status"] == 400
    assert (seen["absent"]["status"], "not found" in seen["absent"]["message"]) == (404, True)
    build = sandbox.instances["bitbucket"].build("acme/shop", 1)
    assert build.env == {"STAGEDOOR_REQUEST_ID": "r-1"}
