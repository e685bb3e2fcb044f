"""People, what they may do, and the record of what was done."""

from portal.models.people import ApiToken, GroupReading, Identity, UserLink, UserSession
from portal.models.roles import PolicyChange, Role, RoleMapping, validate_permissions
from portal.models.scim import ScimGroup, ScimUser
from portal.models.shared_cache import CacheEntry
from portal.models.trail import AuditEvent, AuditQuerySet, Credential, Delivery, Heartbeat

__all__ = [
    "ApiToken",
    "AuditEvent",
    "AuditQuerySet",
    "CacheEntry",
    "Credential",
    "Delivery",
    "GroupReading",
    "Heartbeat",
    "Identity",
    "PolicyChange",
    "Role",
    "RoleMapping",
    "ScimGroup",
    "ScimUser",
    "UserLink",
    "UserSession",
    "validate_permissions",
]
