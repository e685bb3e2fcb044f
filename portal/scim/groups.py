"""SCIM groups as groups that role mappings name: "scim:" and the display name.

Only groups of that prefix are touched. A large group is changed one person at a time by clients
that sync often, so a patch reads only the members that it names.
"""

import re
from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group as DjangoGroup
from django.contrib.auth.models import User as Person
from django.db.models import Q, QuerySet
from django.utils import timezone
from scim2_models import InvalidValueException, UniquenessException

from portal import audit
from portal.memberships import set_admin
from portal.models import ScimGroup, ScimUser
from portal.scim.filters import NOTHING, Columns, numbers, same_id
from portal.scim.people import CLIENT
from portal.scim.resources import Group, address

audit.register("scim.group", "changed a group by SCIM")

PREFIX = "scim:"
MAX_NAMED = 50  # of those who joined or left, in one event
ONE_MEMBER = re.compile(r'members\[value eq "([^"\\]*)"\]', re.IGNORECASE)


def _with_member(value: Any) -> Q:
    member = same_id(value)
    return Q(group__user__scim__in=ScimUser.objects.filter(member, deleted_at=None))


COLUMNS: Columns = {
    "id": same_id,
    "displayname": lambda value: Q(display_name__iexact=str(value)),
    "externalid": lambda value: Q(external_id=str(value)) if value else NOTHING,
    "members": _with_member,
    "members.value": _with_member,
}


def rows() -> QuerySet[ScimGroup]:
    return ScimGroup.objects.select_related("group")


def shown(row: ScimGroup, members: Collection[str] | bool = True) -> Group:
    """The group with all of its members, none (False), or those of these ids."""
    found = _members(row)
    if not isinstance(members, bool):
        found = found.filter(pk__in=numbers(members))
    listed = [
        {"value": str(pk), "$ref": address("Users", pk), "type": "User"}
        for pk in (found.values_list("pk", flat=True) if members is not False else ())
    ]
    meta = {
        "resourceType": "Group",
        "created": row.created_at,
        "lastModified": row.changed_at,
        "location": address("Groups", row.pk),
    }
    return Group.model_validate(
        {
            "id": str(row.pk),
            "externalId": row.external_id or None,
            "displayName": row.display_name,
            "members": listed or None,
            "meta": meta,
        }
    )


def create(resource: Group) -> ScimGroup:
    """A new group with its members. Raises UniquenessException."""
    _check_name(resource, None)
    group, _ = DjangoGroup.objects.get_or_create(name=PREFIX + str(resource.display_name))
    row = ScimGroup(group=group)
    change(row, resource, before=None)
    return row


def change(row: ScimGroup, resource: Group, *, before: Group | None) -> None:
    """Takes over name and members; `before` holds the members that may be taken away."""
    _check_name(resource, row.pk)
    name, old = str(resource.display_name), row.display_name
    row.display_name, row.external_id = name, resource.external_id or ""
    row.changed_at = timezone.now()
    was = row.group.name
    if was != PREFIX + name:
        # Nobody inherits what is mapped to the name: it is another group from now on.
        row.group.name = PREFIX + name
        row.group.save(update_fields=["name"])
    row.save()
    had, has = _ids(before), _ids(resource)
    joined = _join(row, has - had)
    left = _leave(row, had - has)
    if was != row.group.name and {was, row.group.name} & set(settings.ADMIN_GROUPS):
        for person in row.group.user_set.all():
            set_admin(person)
    if joined or left or old != name:
        data = {"joined": joined[:MAX_NAMED], "left": left[:MAX_NAMED], "was": old}
        _record(row, {key: value for key, value in data.items() if value and value != name})


def delete(row: ScimGroup) -> None:
    """Also the Django group; what is mapped to its name then has nobody."""
    left = _leave(row, {str(pk) for pk in _members(row).values_list("pk", flat=True)})
    _record(row, {"deleted": True, "left": left[:MAX_NAMED]})
    row.group.delete()


def members_needed(operations: list[dict[str, Any]]) -> set[str] | bool:
    """Which members a patch can tell apart: those it names, True for all, False for none."""
    named: set[str] = set()
    for operation in operations:
        op, path = str(operation.get("op")).lower(), str(operation.get("path") or "")
        value = operation.get("value")
        if not path and isinstance(value, dict):
            keys = {str(key).lower(): item for key, item in value.items()}
            path, value = ("members", keys["members"]) if "members" in keys else ("", None)
        if not path.lower().startswith("members"):
            continue
        one = ONE_MEMBER.fullmatch(path)
        if one and op == "remove":
            named.add(one[1])
        elif path.lower() == "members" and op in {"add", "remove"} and value:
            values = value if isinstance(value, list) else [value]
            named |= {str(item.get("value")) for item in values if isinstance(item, dict)}
        else:
            return True
    return named or False


def _members(row: ScimGroup) -> QuerySet[ScimUser]:
    return ScimUser.objects.filter(user__groups=row.group_id, deleted_at=None).order_by("pk")


def _check_name(resource: Group, pk: int | None) -> None:
    name = str(resource.display_name)
    if ScimGroup.objects.filter(display_name=name).exclude(pk=pk).exists():
        raise UniquenessException(detail=f"There is another group with the name {name}.")


def _ids(resource: Group | None) -> set[str]:
    return {str(item.value) for item in (resource.members if resource else None) or []}


def _people(ids: set[str]) -> QuerySet[Person]:
    return Person.objects.filter(scim__in=numbers(ids)).order_by("username")


def _join(row: ScimGroup, ids: set[str]) -> list[str]:
    known = {
        str(pk)
        for pk in ScimUser.objects.filter(deleted_at=None, pk__in=numbers(ids)).values_list(
            "pk", flat=True
        )
    }
    if ids - known:
        strange = ", ".join(sorted(ids - known)[:3])
        raise InvalidValueException(
            detail=f"No person here has the id {strange}. Groups have people as members only."
        )
    people = list(_people(known))
    row.group.user_set.add(*people)
    return _settle(row, people)


def _leave(row: ScimGroup, ids: set[str]) -> list[str]:
    people = list(_people(ids))
    row.group.user_set.remove(*people)
    return _settle(row, people)


def _settle(row: ScimGroup, people: list[Person]) -> list[str]:
    """Opens or closes the administration where the group decides that; their user names."""
    if row.group.name in settings.ADMIN_GROUPS:
        for person in people:
            set_admin(person)
    return [person.get_username() for person in people]


def _record(row: ScimGroup, data: dict[str, Any]) -> None:
    audit.record("scim.group", on_behalf_of=CLIENT, target=f"group: {row.group.name}", data=data)
