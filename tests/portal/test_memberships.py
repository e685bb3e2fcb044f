"""Each origin replaces its own groups of a person, also where many people come at once."""

import threading

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection

from portal.memberships import replace_groups

PEOPLE, ROUNDS = 4, 5


@pytest.mark.django_db(transaction=True)
def test_people_who_bring_the_same_new_groups_at_once_all_get_them():
    """Some of one's own among them change the order; without one of ours, PostgreSQL would end one
    of two people's sign-ins by a deadlock."""
    users = [User.objects.create_user(f"u{number}") for number in range(PEOPLE)]
    failures: list[Exception] = []
    for turn in range(ROUNDS):
        names = [f"turn-{turn}-group-{number:03}" for number in range(150)]
        barrier = threading.Barrier(PEOPLE)

        def arrive(user: User, names: list[str], barrier: threading.Barrier) -> None:
            barrier.wait(30)
            try:
                replace_groups(user, "idp:", names)
            except Exception as error:  # whatever it is, the test tells
                failures.append(error)
            finally:
                connection.close()

        threads = [
            threading.Thread(target=arrive, args=(user, [*names, *own(place)], barrier))
            for place, user in enumerate(users)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert failures == []
    assert Group.objects.filter(name__contains="turn").count() == ROUNDS * 150
    held = [user.groups.count() for user in users]
    assert held == [150 + len(own(place)) for place in range(PEOPLE)]


def own(place: int) -> list[str]:
    return [f"only-{place}-{number}" for number in range(place * 400)]
