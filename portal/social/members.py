"""Asks GitHub and Bitbucket, with a credential of the portal's, who belongs to what there now.

Between two sign-ins of a person nothing else would tell that they left a team. A reading is whole
or it is none: whoever is missing from half a list would lose what they have.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from django.conf import settings

from portal.http import HttpError
from portal.social.configuration import BITBUCKET, GITHUB, Door
from portal.social.paging import BITBUCKET_API, NotRead, ask, github_api, items_of, paged

GROUPS_NOTE = "members of workspaces and of the groups in them"
WORKSPACES_NOTE = (
    "members of workspaces only: the groups in them can't be read with this credential, which "
    "must be a workspace administrator's"
)


@dataclass
class Members:
    """`groups`: the provider's id of a person -> names of groups, without the prefix."""

    groups: dict[str, set[str]] = field(default_factory=dict)
    note: str = ""  # what was read

    def add(self, person: object, group: str) -> None:
        self.groups.setdefault(str(person), set()).add(group)


def read_members(door: Door) -> Members:
    """Everybody in the door's organisations or workspaces. Raises NotRead."""
    reader: Callable[[Door], Members] = {GITHUB: _github, BITBUCKET: _bitbucket}[door.provider]
    try:
        members = reader(door)
    except (KeyError, TypeError, AttributeError):
        raise NotRead(f"{door.label} answered in a way that can't be understood.") from None
    except HttpError as error:
        raise NotRead(str(error)) from None
    if not members.groups:
        raise NotRead(f"{door.label} named nobody at all, which is not believed.")
    return members


def _github(door: Door) -> Members:
    """REST API 2022-11-28; the credential needs "Members: read" on each organisation."""
    api, token = github_api(door), settings.GITHUB_MEMBERS_TOKEN
    members = Members(note="members of organisations and teams")
    for organisation in door.members_of:
        for person in paged(api, f"/orgs/{organisation}/members", token):
            members.add(person["id"], organisation)
        for team in paged(api, f"/orgs/{organisation}/teams", token):
            # Those of teams below are among them, as in what the person's own token tells.
            for person in paged(api, f"/orgs/{organisation}/teams/{team['slug']}/members", token):
                members.add(person["id"], f"{organisation}/{team['slug']}")
    return members


def _bitbucket(door: Door) -> Members:
    """Groups by the 1.0 API, which Atlassian calls temporary and gives to administrators only."""
    token = settings.BITBUCKET_MEMBERS_TOKEN
    members = Members(note=GROUPS_NOTE)
    for workspace in door.members_of:
        for item in paged(BITBUCKET_API, f"/2.0/workspaces/{workspace}/members", token):
            members.add(item["user"]["account_id"], workspace)
        answer = ask(f"{BITBUCKET_API}/1.0/groups/{workspace}/", token)
        if answer.status in {401, 403, 404, 405, 410}:
            members.note = WORKSPACES_NOTE
            continue
        for group in items_of(answer):
            for person in group["members"]:
                members.add(person["account_id"], f"{workspace}/{group['slug']}")
    return members
