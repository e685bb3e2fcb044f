"""A server's claims: which sources may link which of its pipelines for triggering.

Pure, so that the admin form, linking and tests read the rules in one place.
"""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

KEYS = {"source", "namespace", "pipelines"}
EXAMPLE = '[{"source": "payments", "namespace": "default", "pipelines": "payments/*"}]'


def covered(
    claims: Sequence[Mapping[str, str]], *, source: str, namespace: str, pipeline: str
) -> bool:
    """Whether an entity of this source and namespace may link the pipeline for triggering.

    A claim that is not well formed covers nothing.
    """
    return any(
        not problem(claim)
        and claim["source"] == source
        and claim.get("namespace", namespace) == namespace
        and fnmatchcase(pipeline, claim["pipelines"])
        for claim in claims
    )


def problems(claims: object) -> list[str]:
    """What is wrong, a sentence each; empty when the claims can be used."""
    if not isinstance(claims, list):
        return [f"Claims are a list, for example {EXAMPLE}."]
    return [
        f"Claim {position}: {sentence}"
        for position, claim in enumerate(claims, start=1)
        if (sentence := problem(claim))
    ]


def problem(claim: object) -> str:
    """What is wrong with one claim, or "".

    The source is required, since a namespace is what a descriptor says of itself: whoever may
    write any descriptor could say it, and trigger what the glob covers.
    """
    if not isinstance(claim, dict):
        return f"it has to be an object, for example {EXAMPLE[1:-1]}."
    unknown = sorted(str(key) for key in set(claim) - KEYS)
    if unknown:
        return f"{unknown[0]!r} is not known; known are namespace, pipelines and source."
    if not all(isinstance(value, str) and value for value in claim.values()):
        return "every value has to be a text that is not empty."
    if "pipelines" not in claim:
        return '"pipelines" is missing: a glob over the names of pipelines, "*" for all.'
    if "source" not in claim:
        return '"source" is missing: the slug of the source whose descriptors it trusts.'
    return ""
