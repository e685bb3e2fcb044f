"""SCIM users as people of the portal: who it is, their names, and the end of their access.

A person is found by the subject that their sign-in will bring, never by an address. The client's
last word on `active` is kept beside the account's own state, and so is which accounts that word
ended: what an administrator ended here, no word of the client's brings back.
"""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group as DjangoGroup
from django.contrib.auth.models import User as Person
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import Prefetch, Q, QuerySet
from django.utils import timezone
from scim2_models import InvalidValueException, UniquenessException

from portal import audit
from portal.identities import create_user, users_of
from portal.leaving import end_access
from portal.models import Identity, ScimUser
from portal.scim.arrivals import SCIM_ISSUER
from portal.scim.filters import NOTHING, Columns, same_id
from portal.scim.resources import User, address

audit.register("scim.user", "changed a person by SCIM")
audit.register("access.return", "gave a person access again")

CLIENT = "the SCIM client"
LEFT = "The company's directory says that the person has left."
REMOVED = "The company's directory removed the person."
BACK = "The company's directory says that the person is back."

ACTIVE = Q(active=True, user__is_active=True)
COLUMNS: Columns = {
    "id": same_id,
    "username": lambda value: Q(user_key=str(value).lower()),
    "externalid": lambda value: Q(external_id=str(value)) if value else NOTHING,
    "displayname": lambda value: Q(display_name__iexact=str(value)),
    # Entra compares with texts: "True", "False".
    "active": lambda value: ACTIVE if str(value).lower() == "true" else ~ACTIVE,
}


def rows() -> QuerySet[ScimUser]:
    """Those that the client has not deleted."""
    groups = DjangoGroup.objects.exclude(scim=None).select_related("scim").order_by("pk")
    live = ScimUser.objects.filter(deleted_at=None).select_related("user")
    return live.prefetch_related(Prefetch("user__groups", queryset=groups))


def stored(row: ScimUser) -> User:
    """What the client said last; patches are applied to this."""
    return User.model_validate({**_plain(row), "active": row.active})


def shown(row: ScimUser) -> User:
    """What the client is answered: also what an administrator has ended is not active."""
    groups = [
        {"value": str(group.scim.pk), "display": group.scim.display_name, "type": "direct"}
        for group in row.user.groups.all()
    ]
    active = row.active and row.user.is_active
    meta = {
        "resourceType": "User",
        "created": row.created_at,
        "lastModified": row.changed_at,
        "location": address("Users", row.pk),
    }
    return User.model_validate(
        {**_plain(row), "active": active, "groups": groups or None, "meta": meta}
    )


def create(resource: User) -> ScimUser:
    """A new person, or one who has signed in or been here before. Raises UniquenessException."""
    subject = _subject(resource)
    user = _person(subject) or create_user(
        {
            "iss": _issuer(),
            "sub": subject,
            "preferred_username": resource.user_name,
            "email": _address(resource),
        }
    )
    row = ScimUser.objects.select_for_update().filter(user=user).first()
    if row is None:
        row = ScimUser(user=user)
    elif row.deleted_at is None:
        raise UniquenessException(detail=f"This person is here already, as id {row.pk}.")
    row.deleted_at = None
    if resource.active is None:
        resource.active = True
    change(row, resource)
    return row


def change(row: ScimUser, resource: User) -> None:
    """Takes over what the client says now. Raises UniquenessException."""
    before = _audited(row)
    name = str(resource.user_name)
    if rows().filter(user_key=name.lower()).exclude(pk=row.pk).exists():
        raise UniquenessException(detail=f"There is another person with the user name {name}.")
    _know_as(row.user, _subject(resource))
    row.user_name, row.user_key = name, name.lower()
    row.external_id = resource.external_id or ""
    row.display_name = resource.display_name or ""
    plain = resource.model_dump()
    row.attributes = {key: plain[key] for key in ("name", "emails") if plain.get(key)}
    row.changed_at = timezone.now()
    _set_names(row.user, resource)
    was_active = row.active
    if resource.active is not None:  # what is not said brings nobody back
        row.active = resource.active
    row.save()
    _set_access(row, was_active, repeated=before == _audited(row))
    _record(row, before)


def delete(row: ScimUser) -> None:
    """The account stays, deactivated: for the names in the trail, and for the person's return."""
    before = _audited(row)
    row.active, row.user_key = False, None
    row.deleted_at = row.changed_at = timezone.now()
    row.save()
    row.user.groups.remove(*DjangoGroup.objects.filter(user=row.user).exclude(scim=None))
    _end(row, REMOVED)
    _record(row, before)


def _subject(resource: User) -> str:
    name = settings.SCIM_SUBJECT
    value = resource.user_name if name == "userName" else resource.external_id
    if not value:
        raise InvalidValueException(
            detail=f"{name} is needed here: by it a sign-in finds the person (SCIM_SUBJECT)."
        )
    return value


def _issuer() -> str:
    return _provider() if settings.SCIM_SUBJECT_CLAIM == "sub" else SCIM_ISSUER


def _provider() -> str:
    """By whom the company's people sign in: OpenID Connect, or SAML where that is not set up."""
    saml = settings.SIGNIN_DOORS.get("saml")
    return settings.OIDC_OP_ISSUER or (saml.issuer if saml else "")


def _person(subject: str) -> Person | None:
    """Who is known by this subject, from SCIM or from a sign-in."""
    found = users_of(_issuer(), subject).first()
    if found is not None or settings.SCIM_SUBJECT_CLAIM == "sub":
        return found
    signed_in = _signed_in_as(subject)
    if len(signed_in) > 1:
        raise UniquenessException(
            detail=f"Several people have signed in as {subject}; an administrator has to settle it."
        )
    return signed_in.first()


def _signed_in_as(subject: str) -> QuerySet[Person]:
    """Whose last sign-in brought this value, and who is no SCIM user: of one the claim is from
    before."""
    claim = {f"identities__claims__{settings.SCIM_SUBJECT_CLAIM}": subject}
    return Person.objects.filter(identities__issuer=_provider(), scim=None, **claim).distinct()


def _know_as(user: Person, subject: str) -> None:
    """Ties the subject to the person and forgets the one before, which may be somebody else's soon.

    Only a provider's own subject that the person has signed in by is kept: it is never given again.
    """
    mine = Identity.objects.filter(issuer=_issuer(), subject=subject)
    if mine.filter(user=user).exists():
        return
    if mine.exists():
        raise UniquenessException(detail=f"{settings.SCIM_SUBJECT} belongs to somebody else.")
    before = Identity.objects.filter(issuer=_issuer(), user=user)
    if _issuer() != SCIM_ISSUER:
        before = before.filter(claims={})  # nobody has arrived by it
    before.delete()
    Identity.objects.create(issuer=_issuer(), subject=subject, user=user)


def _set_access(row: ScimUser, was_active: bool, *, repeated: bool) -> None:
    """A directory repeats at each of its runs who has left: whose access has ended already costs
    no search."""
    if not row.active:
        beside = row.beside.filter(scim=None, is_active=True)
        if not repeated or row.user.is_active or beside.exists():
            _end(row, LEFT)
    elif not was_active:
        for user in (row.user, *row.beside.filter(scim=None)):
            _give_back(user)


def _end(row: ScimUser, why: str) -> None:
    """Also of whoever signed in under its name: one of them is the person who has left."""
    _end_one(row, row.user, why)
    if settings.SCIM_SUBJECT_CLAIM != "sub":
        name = row.user_name if settings.SCIM_SUBJECT == "userName" else row.external_id
        row.beside.add(*_signed_in_as(name))
    for user in row.beside.filter(scim=None):
        _end_one(row, user, why)


def _end_one(row: ScimUser, user: Person, why: str) -> None:
    was_active = Person.objects.select_for_update(no_key=True).get(pk=user.pk).is_active
    end_access(user, why=why, on_behalf_of=CLIENT)
    if was_active:
        row.ended.add(user)


def _give_back(user: Person) -> None:
    """Only what SCIM ended: an administrator's word takes the mark away (leaving.py)."""
    # Kept from an administrator who ends it at this moment.
    known = Person.objects.select_for_update(no_key=True).get(pk=user.pk)
    if known.is_active or not known.scim_ended.exists():
        return
    user.is_active = True
    user.save(update_fields=["is_active"])
    user.scim_ended.clear()
    target = f"user: {user.get_username()}"
    audit.record("access.return", on_behalf_of=CLIENT, target=target, reason=BACK)


def _set_names(user: Person, resource: User) -> None:
    """For pages, until the next sign-in says them anew."""
    name = resource.name
    given, family = (name.given_name or "", name.family_name or "") if name else ("", "")
    whole = (name.formatted if name else None) or resource.display_name or ""
    if not (given and family):
        given, family = whole or given, ""
    user.first_name, user.last_name, user.email = given[:150], family[:150], _address(resource)
    user.save(update_fields=["first_name", "last_name", "email"])


def _address(resource: User) -> str:
    """The primary address, else the first; "" where it is none."""
    emails = sorted(resource.emails or [], key=lambda email: not email.primary)
    value = (emails[0].value or "") if emails else ""
    try:
        validate_email(value)
    except ValidationError:
        return ""
    return value if len(value) <= 254 else ""


def _plain(row: ScimUser) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "userName": row.user_name,
        "externalId": row.external_id or None,
        "displayName": row.display_name or None,
        **row.attributes,
    }


def _audited(row: ScimUser) -> dict[str, Any]:
    fields = ("user_name", "external_id", "display_name", "active")
    return {name: getattr(row, name) for name in fields} if row.pk else {}


def _record(row: ScimUser, before: dict[str, Any]) -> None:
    after = _audited(row)
    changed = [name for name, value in after.items() if before.get(name) != value]
    if changed:
        data = {
            "before": {name: before[name] for name in changed if name in before},
            "after": {name: after[name] for name in changed},
        }
        target = f"user: {row.user.get_username()}"
        audit.record("scim.user", on_behalf_of=CLIENT, target=target, data=data)
