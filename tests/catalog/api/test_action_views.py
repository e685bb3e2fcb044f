"""What asks for work: refresh, validate-entity, and the removal of an entity."""

import pytest

from catalog.models import Entity, Membership, Relation, SyncRun
from portal.models import AuditEvent
from tests.catalog.api.conftest import Api, person
from tests.catalog.trees import component, group, read, user

pytestmark = pytest.mark.django_db
GOOD = {"entity": component("x"), "location": "url:https://git.example/x.yaml"}


def test_refresh_requests_a_reading(admin, shop):
    response = admin.ask("POST", "/refresh", {"entityRef": "component:default/PAY"})
    assert (response.status_code, response.content) == (200, b"")
    run = SyncRun.objects.filter(source=shop, cause="person").get()
    assert run.requested_by.username == "lena"
    assert AuditEvent.objects.filter(action="entity.refresh", actor="lena", outcome="ok").exists()


def test_refresh_of_a_location_reads_its_source(admin, shop):
    listed = admin.get("/locations")[0]["data"]
    assert admin.ask("POST", "/refresh", {"entityRef": listed["entityRef"]}).status_code == 200
    assert SyncRun.objects.filter(source=shop, cause="person").exists()


def test_refresh_needs_the_permission_and_the_tokens(api, shop):
    asked = {"entityRef": "component:default/pay"}
    assert api.problem("/refresh", 403, "POST", asked)
    narrow = Api(person("lena", "idp:admins"), ["catalog.view"])
    assert "no more than was chosen" in narrow.problem("/refresh", 403, "POST", asked)
    assert not SyncRun.objects.filter(cause="person").exists()
    denied = AuditEvent.objects.filter(outcome="denied", target="component:default/pay")
    assert set(denied.values_list("actor", flat=True)) == {"vic", "lena"}
    assert api.problem("/refresh", 404, "POST", {"entityRef": "component:default/none"})
    assert api.problem("/refresh", 400, "POST", {"entityRef": "none"})
    assert api.problem("/refresh", 400, "POST", {})


def test_validate_judges_as_a_file_is_judged(api):
    assert api.ask("POST", "/validate-entity", GOOD).content == b""
    wrong = {**GOOD, "entity": component("no good", lifecycle="")}
    errors = api.post("/validate-entity", wrong, 400)["errors"]
    assert errors
    assert {error["name"] for error in errors} == {"InputError"}
    assert api.post("/validate-entity", {**GOOD, "entity": {}}, 400)["errors"]
    assert api.problem("/validate-entity", 400, "POST", {"entity": {}})
    assert api.problem("/validate-entity", 400, "POST", {"location": "url:x"})


def test_validate_takes_long_texts_and_not_a_million_values(api):
    long = component("x", {"description": "x" * 500_000})
    assert api.ask("POST", "/validate-entity", {**GOOD, "entity": long}).status_code == 200
    wide = component("x", a=[[0] * 10] * 5_000)
    sent = {**GOOD, "entity": wide}
    assert "20,000 values" in api.problem("/validate-entity", 400, "POST", sent)


def test_a_removed_entity_goes_and_comes_back_while_it_is_described(admin, shop):
    uid = Entity.objects.get(name="pay").uid
    assert admin.get("/entities?filter=metadata.name=pay")
    assert admin.ask("DELETE", f"/entities/by-uid/{uid}").status_code == 204
    assert admin.get("/entities?filter=metadata.name=pay") == []
    assert not Relation.objects.filter(target_ref="component:default/pay", declared=False).exists()
    assert AuditEvent.objects.get(action="entity.remove").target == "component:default/pay"
    read(shop)
    assert Entity.objects.get(name="pay").uid != uid
    assert admin.problem(f"/entities/by-uid/{uid}", 404, "DELETE")


def test_a_removed_person_leaves_their_teams_at_once(admin, tree):
    tree.write("org.yaml", group("money"), user("mia", "money"))
    read(tree.source("org.yaml", "org", trusted_for_org=True))
    mine = Membership.objects.filter(user_ref="user:default/mia")
    assert mine.exists()
    uid = Entity.objects.get(name="mia").uid
    assert admin.ask("DELETE", f"/entities/by-uid/{uid}").status_code == 204
    assert not mine.exists()


def test_removing_needs_the_permission(api, shop):
    uid = Entity.objects.get(name="pay").uid
    assert api.problem(f"/entities/by-uid/{uid}", 403, "DELETE")
    assert Entity.objects.filter(uid=uid).exists()


def test_removing_gives_no_contested_name_away_without_the_right_to_decide(shop, tree):
    tree.write("b.yaml", component("pay"), component("own"))
    read(tree.source("b.yaml", "other"))
    registrar = Api(person("lena", "idp:admins"), ["catalog.view", "source.register"])
    uid = Entity.objects.get(name="pay").uid
    assert "decide who keeps a name" in registrar.problem(f"/entities/by-uid/{uid}", 403, "DELETE")
    assert Entity.objects.get(name="pay").source == shop
    uid = Entity.objects.get(name="own").uid
    assert registrar.ask("DELETE", f"/entities/by-uid/{uid}").status_code == 204
