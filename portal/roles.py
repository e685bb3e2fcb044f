"""The roles that every installation begins with; admins edit them afterwards."""

from portal.models import Role

_VIEW = ["catalog.view", "build.view", "log.view"]
_DEVELOP = [*_VIEW, "build.cancel", "build.retry", "entity.refresh"]
_DEPLOY = [*_DEVELOP, "build.start", "build.unblock", "build.promote", "trigger.approve"]
_OWN = [*_DEPLOY, "glass.break", "role.grant"]
_ADMIN = [
    *_OWN,
    "policy.view",
    "pipeline.activate",
    "trigger.settle",
    "link.confirm",
    "source.sync",
    "source.register",
    "source.decide",
]

# (slug, name, permissions, what it is for)
SEEDED = [
    ("viewer", "Viewer", _VIEW, "Reads everything, changes nothing."),
    ("developer", "Developer", _DEVELOP, "Retries and cancels builds, has entities read again."),
    (
        "deployer",
        "Deployer",
        _DEPLOY,
        "Starts, unblocks and promotes builds, approves what others ask for, and all that a "
        "developer may.",
    ),
    (
        "owner",
        "Owner",
        _OWN,
        "Gives roles on a team's services, breaks the glass, and all that a deployer may.",
    ),
    (
        "admin",
        "Admin",
        _ADMIN,
        "Also registers and syncs catalog sources, confirms links, switches pipelines on.",
    ),
]


def seed_roles(**kwargs: object) -> None:
    """Adds the seeded roles that are missing and leaves those that an admin has edited."""
    for position, (slug, name, permissions, description) in enumerate(SEEDED):
        Role.objects.get_or_create(
            slug=slug,
            defaults={
                "name": name,
                "permissions": permissions,
                "description": description,
                "rank": 10 * (position + 1),
            },
        )
