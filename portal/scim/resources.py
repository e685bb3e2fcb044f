"""What SCIM users and groups hold here, and what this service says of itself.

Fewer attributes than RFC 7643 knows: what is not used is not kept. Clients may send the others;
they are passed over.
"""

from typing import Annotated, Any

from django.conf import settings
from pydantic import Field
from scim2_models import (
    URN,
    AuthenticationScheme,
    Bulk,
    CaseExact,
    ChangePassword,
    ComplexAttribute,
    ETag,
    ExtensibleStringEnum,
    Filter,
    GroupMembership,
    Mutability,
    Patch,
    Reference,
    Required,
    Resource,
    ScimPolicy,
    ScimProvider,
    ServiceProviderConfig,
    Sort,
    Uniqueness,
)

MAX_TEXT = 255
MAX_GROUP_NAME = 145  # auth.Group.name without the prefix "scim:"
MAX_EMAILS = 20
# The most that one answer lists, and what it lists when the client names no number.
MAX_RESULTS = 200

Text = Annotated[str, Field(max_length=MAX_TEXT)]
Named = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]

# Okta and Entra send more than is declared here; Entra removes members by a value, and writes into
# "emails[type eq "work"]" before there is one.
POLICY = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
)


class Name(ComplexAttribute):
    """The parts of a name that pages show."""

    formatted: Text | None = None
    given_name: Text | None = None
    family_name: Text | None = None


class Email(ComplexAttribute):
    """An address, which is shown and never used to find a person."""

    value: Text | None = None
    type: Text | None = None
    primary: bool | None = None


class User(Resource[Any]):
    """A person."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:User")

    external_id: Text | None = None
    user_name: Annotated[Named | None, Uniqueness.server, Required.true] = None
    display_name: Text | None = None
    name: Name | None = None
    emails: Annotated[list[Email] | None, Field(max_length=MAX_EMAILS)] = None
    active: bool | None = None
    groups: Annotated[list[GroupMembership] | None, Mutability.read_only] = None


class Member(ComplexAttribute):
    """A person in a group, by the id that they have here."""

    class Type(ExtensibleStringEnum):
        """What can be a member here."""

        user = "User"

    value: Annotated[Text | None, Mutability.immutable, CaseExact.true] = None
    ref: Annotated[Reference[User] | None, Mutability.immutable] = Field(
        None, serialization_alias="$ref", validation_alias="$ref"
    )
    type: Annotated[Type | None, Mutability.immutable] = None


class Group(Resource[Any]):
    """A group of people; roles are mapped to it as "scim:" and its display name."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:Group")

    external_id: Text | None = None
    display_name: Annotated[
        Annotated[str, Field(min_length=1, max_length=MAX_GROUP_NAME)] | None,
        Uniqueness.server,
        Required.true,
    ] = None
    members: list[Member] | None = None


CONFIG = ServiceProviderConfig(
    patch=Patch(supported=True),
    bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
    filter=Filter(supported=True, max_results=MAX_RESULTS),
    change_password=ChangePassword(supported=False),
    sort=Sort(supported=False),
    etag=ETag(supported=False),
    authentication_schemes=[
        AuthenticationScheme(
            type="oauthbearertoken",
            name="Bearer token",
            description="The token of the setting SCIM_TOKEN, as Authorization: Bearer.",
            primary=True,
        )
    ],
)
PROVIDER = ScimProvider(models=[User, Group], config=CONFIG, policy=POLICY)


def address(place: str, pk: int) -> str:
    """Where a client finds it."""
    return f"{settings.PORTAL_URL}/scim/v2/{place}/{pk}"
