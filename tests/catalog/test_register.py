"""A person registers what anybody may read, and takes away what was registered."""

import pytest
from django.contrib.auth.models import User

from catalog import register, sync
from catalog.models import Entity, Source, SyncRun
from catalog.register import Refused
from portal.guard import Denied
from portal.models import AuditEvent
from tests.catalog.gitserver import Repo, git_server
from tests.catalog.people import give
from tests.catalog.trees import component, problems, read, states

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def ground(settings, tmp_path):
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    settings.DATA_DIR = tmp_path / "data"


@pytest.fixture
def ana():
    return give(User.objects.create_user("ana"), "admin")


def test_nothing_changes_while_it_is_tried(site):
    url = site.serve("/all.yaml", component("shop"), component("pay"), "kind: [")
    trial = register.try_out(url)
    assert trial.plan.added == ["component:default/pay", "component:default/shop"]
    assert len(trial.plan.issues) == 1
    assert not Source.objects.exists()
    assert not Entity.objects.exists()


def test_a_registered_source_is_read_at_once_and_has_no_rights(site, ana):
    url = site.serve("/all.yaml", component("shop"))
    source, run = register.register(url, ana)
    assert (source.registered_by, source.trusted_for_org, source.credential_ref) == (ana, False, "")
    assert source.name == "127.0.0.1: all.yaml"
    assert (run.cause, run.requested_by) == (SyncRun.Cause.PERSON, ana)
    sync.run(run.pk)
    assert states() == {"shop": "active"}
    event = AuditEvent.objects.get(action="source.register")
    assert (event.actor, event.outcome) == ("ana", "ok")
    assert event.data["target"] == url


def test_a_repository_is_registered_as_git(tree, ana):
    Repo(tree.folder / "shop.git").commit({"catalog-info.yaml": component("shop")})
    with git_server(tree.folder) as host:
        url = f"{host.url}/shop.git"
        assert register.try_out(url).plan.added == ["component:default/shop"]
        source, run = register.register(url, ana, name="Shop")
        sync.run(run.pk)
    assert (source.kind, source.slug) == ("git", "shop")
    assert states() == {"shop": "active"}


def test_what_is_read_already_is_not_registered_twice(site, ana):
    url = site.serve("/all.yaml", component("shop"))
    source, _ = register.register(url, ana)
    assert register.try_out(url).analysis.source == source
    with pytest.raises(Refused, match="is read already") as refused:
        register.register(f"{url}#part", ana)
    assert refused.value.source == source


def test_two_of_a_name_get_slugs_of_their_own(site, ana):
    urls = [site.serve(f"/{n}/all.yaml", component(f"c{n}")) for n in range(2)]
    slugs = [register.register(url, ana)[0].slug for url in urls]
    assert slugs == ["127001-allyaml", "127001-allyaml-2"]


def test_who_may_not_is_refused_and_that_is_kept(site):
    url = site.serve("/all.yaml", component("shop"))
    vic = User.objects.create_user("vic")
    with pytest.raises(Denied):
        register.register(url, vic)
    with pytest.raises(Denied):
        register.register("https://vic:secret@git.example/x?token=secret", vic)
    assert "secret" not in str(AuditEvent.objects.values())
    source = Source.objects.create(slug="s", name="S", kind="url", target=url, registered_by=vic)
    with pytest.raises(Denied):
        register.unregister(source, vic)
    assert list(AuditEvent.objects.values_list("action", "outcome").order_by("pk")) == [
        ("source.register", "denied"),
        ("source.register", "denied"),
        ("source.unregister", "denied"),
    ]
    assert Source.objects.count() == 1


def test_what_can_not_be_read_is_a_problem_of_the_trial(site, ana):
    assert "answered 404" in register.try_out(f"{site.url}/nope.yaml").problem
    trial = register.try_out(site.serve("/bad.yaml", "kind: ["))
    assert trial.plan is None
    assert trial.issues


def test_a_name_that_is_taken_is_seen_before_and_after(site, tree, ana):
    tree.write("catalog-info.yaml", component("shop"))
    read(tree.source())
    url = site.serve("/all.yaml", component("shop"))
    trial = register.try_out(url)
    assert (trial.plan.added, trial.empty) == ([], True)
    [[ref, sentence]] = trial.plan.conflicts
    assert ref == "component:default/shop"
    assert "the source" in sentence
    source, run = register.register(url, ana)
    sync.run(run.pk)
    assert len(problems(source)) == 1


def test_unregistering_marks_what_goes_with_the_source(site, ana):
    url = site.serve("/all.yaml", component("shop"), component("pay"))
    source, run = register.register(url, ana)
    sync.run(run.pk)
    assert [entity.name for entity in register.what_goes(source)] == ["pay", "shop"]
    assert register.unregister(source, ana) == 2
    assert states() == {"shop": "missing", "pay": "missing"}
    assert not Source.objects.exists()
    event = AuditEvent.objects.get(action="source.unregister")
    assert (event.target, event.data["entities"]) == ("source: 127001-allyaml", 2)


@pytest.mark.parametrize(
    ("fields", "may"),
    [
        ({"kind": "url"}, True),
        ({"kind": "git"}, True),
        ({"kind": "git", "credential_ref": "env:X"}, False),
        ({"kind": "url", "trusted_for_org": True}, False),
        ({"kind": "path"}, False),
        ({"kind": "github"}, False),
    ],
)
def test_what_an_administrator_made_with_care_is_theirs(ana, fields, may):
    source = Source.objects.create(slug="s", name="S", target="https://x.example/y", **fields)
    assert register.can_unregister(source) is may
    if not may:
        with pytest.raises(Refused, match="An administrator made this source"):
            register.unregister(source, ana)
        source.registered_by = ana
        assert register.can_unregister(source) is True
