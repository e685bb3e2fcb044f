"""What is read beside the descriptors may fail; the reading itself has succeeded by then."""

import pytest

from catalog import enrich
from catalog.models import SyncIssue
from tests.catalog.trees import component, problems, read, states

pytestmark = pytest.mark.django_db

FILE = "catalog-info.yaml"


def test_what_fails_beside_the_descriptors_is_a_problem_and_no_failure(tree, monkeypatch, caplog):
    def broken(*arguments):
        raise ZeroDivisionError

    tree.write(FILE, component("pay"))
    source = tree.source()
    monkeypatch.setattr(enrich, "read_docs", broken)
    for _ in range(2):
        run = read(source)
        assert (run.state, source.last_error) == ("succeeded", "")
    assert states() == {"pay": "active"}
    assert "Traceback" in caplog.text
    assert {issue.stage for issue in SyncIssue.objects.all()} == {"docs"}
    assert problems(source) == [
        "Stagedoor failed to read the docs of this source; its log says why."
    ]
    monkeypatch.setattr(enrich, "read_docs", lambda *arguments: None)
    read(source)
    assert problems(source) == []
