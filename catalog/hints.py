"""What an entity's descriptor does not say yet, with the lines that would say it."""

from dataclasses import dataclass

from catalog.docs.layout import TECHDOCS_REF
from catalog.models import Entity


@dataclass(frozen=True)
class Hint:
    """What is missing, and the YAML to add."""

    sentence: str
    text: str


_DESCRIPTION = Hint(
    "What it is for, in a sentence",
    "metadata:\n  description: Takes payments and hands out receipts.\n",
)
_LINKS = Hint(
    "Links to its dashboard, runbook or chat",
    "metadata:\n  links:\n    - url: https://dashboards.example.com/payments\n"
    "      title: Dashboard\n",
)
_DOCS = Hint(
    "Its documentation: the README and Markdown files beside the descriptor",
    f"metadata:\n  annotations:\n    {TECHDOCS_REF}: dir:.\n",
)
_OWNER = Hint("Who owns it", "spec:\n  owner: group:default/payments\n")
_SYSTEM = Hint("The system that it is part of", "spec:\n  system: checkout\n")
# Kinds of which somebody would ask for documentation or a system.
_DOCUMENTED = {"Component", "API", "System", "Domain", "Resource"}
_IN_A_SYSTEM = {"Component", "API", "Resource"}
_OWNED = {*_DOCUMENTED, "Template"}


def hints_of(entity: Entity) -> list[Hint]:
    """What a reader of its page would miss; nothing is asked of people, teams and Locations."""
    if entity.kind not in _OWNED or entity.state != Entity.State.ACTIVE:
        return []
    lacking = {
        _DESCRIPTION: not entity.description,
        _OWNER: not entity.owner_ref,
        _SYSTEM: entity.kind in _IN_A_SYSTEM and not entity.system_ref,
        _LINKS: entity.kind in _DOCUMENTED and not entity.metadata.get("links"),
        _DOCS: entity.kind in _DOCUMENTED and TECHDOCS_REF not in entity.annotations,
    }
    return [hint for hint, lacks in lacking.items() if lacks]
