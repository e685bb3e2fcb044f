"""What a link between an entity and a pipeline grants, and why.

An annotation gives reading and nothing else: anyone who can edit a descriptor could name another
team's deploy job. Triggering needs the server's claims or an admin's word, and a pipeline that
several entities claim is in conflict until an admin decides. No queries here when the related
rows are loaded, so that a request and its dispatch compute it anew from what holds now.
"""

from collections.abc import Sequence

from catalog.models import Entity
from pipelines.claims import covered
from pipelines.models import PipelineLink
from portal.access import display_name

Status = PipelineLink.Status
Standing = tuple[PipelineLink.Status, str]  # with the reason, a sentence
# What standing() reads of each link.
RELATED = ("entity__source", "pipeline__server", "confirmed_by")


def standing(links: Sequence[PipelineLink]) -> list[Standing]:
    """What each of one pipeline's links grants; no queries when related rows are loaded.

    Entities that left their source claim nothing. An admin's word counts for the source it was
    given for, and outranks the server's claims.
    """
    claimants = [link for link in links if link.entity.state == Entity.State.ACTIVE]
    chosen = [link for link in claimants if confirmed_by_word(link)]
    by_claims = [link for link in claimants if _covered(link)]
    return [_standing(link, claimants, chosen, by_claims) for link in links]


def confirmed_by_word(link: PipelineLink) -> bool:
    """Whether an admin confirmed the link for the source that the entity comes from now."""
    return link.confirmed_at is not None and link.confirmed_source == source_of(link)


def _standing(
    link: PipelineLink,
    claimants: Sequence[PipelineLink],
    chosen: Sequence[PipelineLink],
    by_claims: Sequence[PipelineLink],
) -> Standing:
    if link not in claimants:
        return Status.READ, "The entity is no longer in its source."
    if link in chosen:
        who = display_name(link.confirmed_by) if link.confirmed_by else "an administrator"
        return Status.CONFIRMED, f"Confirmed by {who}."
    if chosen:
        return Status.READ, f"An administrator confirmed it for {chosen[0].entity.ref}."
    return _standing_by_claims(link, claimants, by_claims)


def _standing_by_claims(
    link: PipelineLink, claimants: Sequence[PipelineLink], by_claims: Sequence[PipelineLink]
) -> Standing:
    if by_claims == [link]:
        return Status.CONFIRMED, "The server's claims cover it."
    if len(claimants) == 1:
        return Status.READ, "An annotation alone gives reading."
    if len(by_claims) == 1:
        return Status.READ, f"The server's claims give it to {by_claims[0].entity.ref}."
    others = ", ".join(other.entity.ref for other in claimants if other is not link)
    return Status.CONFLICT, f"Also claimed by {others}."[:300]


def _covered(link: PipelineLink) -> bool:
    claims = link.pipeline.server.claims
    return isinstance(claims, list) and covered(
        claims,
        source=source_of(link),
        namespace=link.entity.namespace,
        pipeline=link.pipeline.external_id,
    )


def source_of(link: PipelineLink) -> str:
    """The slug of the source that the link's entity comes from, "" when it has none."""
    return link.entity.source.slug if link.entity.source else ""
