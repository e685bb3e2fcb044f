"""Jenkins' `tree=` and `depth=`."""

import pytest

from pipelines.sandbox.jenkins.tree import BadTree, Exported, render

JOB = Exported(
    "Job",
    {
        "name": "app",
        "builds": [Exported("Run", {"number": n, "result": None}, ("number",)) for n in (3, 2, 1)],
        "actions": [{}, Exported("Cause", {"text": "by hand"})],
    },
    ("name",),
)
TOP = Exported("Jenkins", {"jobs": lambda: [JOB], "mode": "NORMAL"})


def numbers(tree: str) -> list[int]:
    return [build["number"] for build in render(JOB, tree=tree)["builds"]]


def test_a_tree_picks_fields_and_drops_unknown_names():
    assert render(TOP, tree="mode,nonsense,jobs[name,nonsense[x]]") == {
        "_class": "Jenkins",
        "mode": "NORMAL",
        "jobs": [{"_class": "Job", "name": "app"}],
    }


def test_an_object_without_its_own_tree_shows_its_class_only():
    assert render(TOP, tree="jobs")["jobs"] == [{"_class": "Job"}]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("{0,2}", [3, 2]),
        ("{1,3}", [2, 1]),
        ("{,1}", [3]),
        ("{1,}", [2, 1]),
        ("{1}", [2]),
        ("{9,12}", []),
        ("", [3, 2, 1]),
    ],
)
def test_ranges(given: str, expected: list[int]):
    assert numbers(f"builds[number]{given}") == expected


def test_without_a_tree_depth_decides_what_referred_objects_show():
    assert render(TOP)["jobs"] == [{"_class": "Job", "name": "app"}]
    job = render(TOP, depth=1)["jobs"][0]
    assert job["builds"][0] == {"_class": "Run", "number": 3}
    assert job["actions"] == [{}, {"_class": "Cause", "text": "by hand"}]
    assert render(TOP, depth=2)["jobs"][0]["builds"][0]["result"] is None


@pytest.mark.parametrize("tree", ["jobs[name", "jobs]", "jobs[[name]]", "{0,1}", "jobs[name]!"])
def test_a_tree_that_makes_no_sense_is_refused(tree: str):
    with pytest.raises(BadTree):
        render(TOP, tree=tree)
