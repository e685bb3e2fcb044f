"""Puts the people of people.py and the portal's client into the demo provider's database."""

from allauth.account.models import EmailAddress
from allauth.idp.oidc.models import Client, Token
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import transaction

from portal.demo_idp.people import PEOPLE, Person

# The portal's paths (portal/urls.py), which this process does not load.
CALLBACK = "/oidc/callback/"
SIGNED_OUT = "/signed-out/"


@transaction.atomic
def seed() -> None:
    """Safe to repeat: brings accounts, groups and the client in line, keeps sessions."""
    for person in PEOPLE:
        _seed_person(person)
    User.objects.exclude(username__in=[person.username for person in PEOPLE]).delete()
    Group.objects.filter(user=None).delete()
    _seed_client()
    Token.objects.expired().delete()


def _seed_person(person: Person) -> None:
    first, _, last = person.name.partition(" ")
    user, _ = User.objects.update_or_create(
        username=person.username,
        defaults={"first_name": first, "last_name": last, "email": person.email},
    )
    # Setting it anew would end the person's session at every start.
    if not user.check_password(person.password):
        user.set_password(person.password)
        user.save()
    EmailAddress.objects.update_or_create(
        user=user, primary=True, defaults={"email": person.email, "verified": True}
    )
    user.groups.set([Group.objects.get_or_create(name=name)[0] for name in person.groups])


def _seed_client() -> None:
    client = Client.objects.filter(id=settings.CLIENT_ID).first() or Client(id=settings.CLIENT_ID)
    client.name = "Stagedoor"
    client.skip_consent = True
    client.set_scopes(["openid", "profile", "email", "groups"])
    client.set_redirect_uris([settings.PORTAL_URL + CALLBACK])
    client.set_post_logout_redirect_uris([settings.PORTAL_URL + SIGNED_OUT])
    client.set_secret(settings.CLIENT_SECRET)
    client.save()
