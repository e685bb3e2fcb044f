"""PyTravisCI, which knows nothing of the sandbox, uses it as Travis CI."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.pipelines.sandbox.judges.travis import environment

JUDGE = Path(environment.__file__).with_name("judge.py")


@pytest.fixture(scope="module")
def python():
    """In CI, where a skipped test counts as a failed one, there has to be one."""
    try:
        return environment.python()
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"no environment for PyTravisCI: {error}")


@pytest.fixture
def seen(python, sandbox):
    """What the client saw."""
    travis = sandbox.instances["travis"]
    steps = ["Build", {"name": "Unit", "group": "Tests"}, {"name": "Lint", "group": "Tests"}]
    travis.pipeline("acme/shop", branches=["main", "dev"], steps=steps)
    travis.pipeline("acme/slow", steps=[{"name": "Wait", "seconds": 2_000}])
    travis.pipeline("other/site")
    done = subprocess.run(
        [str(python), str(JUDGE)],
        env={**os.environ, "TRAVIS_URL": travis.base_url, "TRAVIS_TOKEN": travis.token},
        capture_output=True,
        timeout=60,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_lists_starts_follows_restarts_cancels_and_switches(seen):
    assert seen["login"] == "stagedoor"
    assert sorted(seen["listed"]) == ["acme/shop", "acme/slow", "other/site"]
    assert seen["first_page"] == seen["listed"][:2]
    assert sorted(seen["owned"]) == ["acme/shop", "acme/slow"]
    assert (seen["organizations"], seen["by_provider"]) == (["acme", "other"], "acme/shop")
    assert seen["repository"] == [True, "main"]
    assert seen["asked"] == ["api", "dev", "Hello there", "stagedoor"]
    assert seen["ended"] == ["passed", "1", True, True]
    assert seen["stages"] == [["Build", "passed"], ["Tests", "passed"]]
    assert seen["jobs"] == [
        ["1.1", "passed", "Build"],
        ["1.2", "passed", "Tests"],
        ["1.3", "passed", "Tests"],
    ]
    assert seen["log"].startswith("travis_fold:start:worker_info\r\x1b[0K")
    assert seen["log"].endswith("Done. Your build exited with 0.\n")
    assert seen["requests"] == [["finished", "approved", "api"]]
    assert (seen["builds"], seen["mine"], seen["branch"]) == (["1"], ["1"], [])
    assert (seen["restart"], seen["restarted"]) == (["restart", True], ["passed", "1"])
    assert (seen["cancel"], seen["cancelled"]) == ("cancel", True)
    assert seen["cancel_again"] == "already stopped"
    assert seen["cancel_by_hand"] == "build_not_cancelable"
    assert seen["inactive"] == [False, "repository_inactive"]
    assert seen["active"] is True
    assert (seen["absent"], seen["bad_limit"]) == ("not_found", "wrong_params")
    assert seen["bad_token"] == "access denied"
