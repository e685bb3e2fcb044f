"""The rights that Stagedoor uses, under Bitbucket's two sets of names for them."""

from dataclasses import dataclass

from pipelines.providers.bitbucket.credential import API_TOKEN


@dataclass(frozen=True)
class Right:
    """A right under its two names: `oauth` for consumers and access tokens, `api` for API tokens.

    An optional right lacks only what it is for.
    """

    oauth: str
    api: str
    use: str
    optional: bool = False

    def name(self, kind: str) -> str:
        return self.api if kind == API_TOKEN else self.oauth


RIGHTS = (
    Right("repository", "read:repository:bitbucket", "list repositories and read their files"),
    Right("pipeline", "read:pipeline:bitbucket", "show builds, steps and logs"),
    Right("pipeline:write", "write:pipeline:bitbucket", "start, stop and retry builds"),
    Right("account", "read:user:bitbucket", "say whose credential it is", optional=True),
    Right("webhook", "read:webhook:bitbucket", "look for webhooks", optional=True),
    Right("webhook", "write:webhook:bitbucket", "register webhooks", optional=True),
    Right(
        "repository:admin",
        "admin:repository:bitbucket",
        "switch Pipelines on for a repository",
        optional=True,
    ),
)
NAMES = frozenset(name for right in RIGHTS for name in (right.oauth, right.api))
