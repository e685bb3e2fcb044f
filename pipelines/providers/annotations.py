"""The grammar that providers' annotations share: `[server:]name[,[server:]name…]`."""

from collections.abc import Callable, Mapping, Sequence

from pipelines.providers.base import AnnotatedPipeline


def _trimmed(name: str) -> str:
    return name.strip("/")


def claims(
    annotations: Mapping[str, str], keys: Sequence[str], normal: Callable[[str], str] = _trimmed
) -> list[AnnotatedPipeline]:
    """Every pipeline that the annotations name, each once; `normal` makes a name an external id.

    Neither a Jenkins job nor a Buildkite slug that Backstage can name holds a colon or a comma, so
    the first colon ends the server's slug.
    """
    found: dict[tuple[str, str], AnnotatedPipeline] = {}
    for key in keys:
        value = annotations.get(key)
        for part in value.split(",") if isinstance(value, str) else ():
            server, colon, name = part.strip().partition(":")
            pipeline = normal((name if colon else server).strip())
            if pipeline:
                claim = AnnotatedPipeline(
                    key, part.strip(), pipeline, server.strip() if colon else ""
                )
                found.setdefault((claim.server, claim.pipeline), claim)
    return list(found.values())
