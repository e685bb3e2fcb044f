"""What exists and who owns it, as the catalog sources say it."""

from catalog.models.digests import Digest
from catalog.models.entities import (
    CatalogState,
    DocPage,
    Entity,
    Membership,
    NameDecision,
    Relation,
    Service,
    Star,
    Tag,
    Team,
    TeamClosure,
)
from catalog.models.sources import (
    PullRequest,
    Repository,
    Source,
    SourceFile,
    SyncIssue,
    SyncRun,
)

__all__ = [
    "CatalogState",
    "Digest",
    "DocPage",
    "Entity",
    "Membership",
    "NameDecision",
    "PullRequest",
    "Relation",
    "Repository",
    "Service",
    "Source",
    "SourceFile",
    "Star",
    "SyncIssue",
    "SyncRun",
    "Tag",
    "Team",
    "TeamClosure",
]
