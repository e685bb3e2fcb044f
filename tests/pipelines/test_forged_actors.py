"""Nothing that a client says of who it is changes the person that is recorded."""

import random

import pytest

from pipelines.models import Trigger
from tests.pipelines import forged_calls
from tests.pipelines.forgeries import ENVIRON, FIELDS, HEADERS, Forgery, forge, found, make_scene

pytestmark = pytest.mark.django_db
COUNT = 300


def test_no_generated_request_changes_the_recorded_person():
    scene, chance = make_scene(), random.Random(5)
    for number in range(COUNT):
        forgery = forge(chance, scene.boss)
        assert found(scene, forgery) == "", (number, forgery)
    assert Trigger.objects.filter(actor=scene.ana).count() > COUNT / 2
    assert not Trigger.objects.exclude(actor=scene.ana).exists()


@pytest.mark.parametrize("signed_in", [True, False])
def test_all_of_it_at_once_changes_nothing_either(signed_in):
    scene = make_scene()
    everything = Forgery(
        headers=dict.fromkeys(HEADERS, "boss"),
        fields=dict.fromkeys(FIELDS, str(scene.boss.pk)),
        query=dict.fromkeys(FIELDS, "boss"),
        environ=dict.fromkeys(ENVIRON, "boss"),
        signed_in=signed_in,
    )
    assert found(scene, everything) == ""
    assert Trigger.objects.count() == int(signed_in)


def test_no_generated_call_of_the_api_changes_the_recorded_person():
    scene, chance = make_scene(), random.Random(7)
    callers = forged_calls.make_callers(scene.link, scene.ana, scene.boss)
    for number in range(COUNT):
        call = forged_calls.forge(chance, callers)
        assert forged_calls.found(callers, call) == "", (number, call)
    taken = Trigger.objects.filter(actor=scene.ana, agent=forged_calls.AGENT).count()
    assert COUNT / 5 < taken == Trigger.objects.count() - 1  # the boss's own
