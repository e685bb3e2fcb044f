"""Where vendors differ in ways that a shared case has to know; one entry for each that differs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pipelines.sandbox.objects import Build


@dataclass(frozen=True)
class Traits:
    """`carried` is where the labels and variables of a build are found in the sandbox."""

    read_only: tuple[str, ...] = ("read",)  # rights of a token that may write nothing
    wrong_credential: str = "wrong"
    log_id: str = "1"  # a log id that no build has
    carried: Callable[[Build], Mapping[str, str]] = lambda build: build.env
    pipeline: Mapping[str, object] = field(default_factory=dict)  # fields of the sandbox's pipeline
    options: Mapping[str, object] = field(default_factory=dict)  # of the server
    longest_wait: float = 7  # seconds to wait after a 429 that says 7, where the vendor says it
    by_address: tuple[str, ...] = ()  # annotations that hold a URL and no list of names
    signs: bool = True  # whether a webhook's body is signed


_DECLARED = {"parameters": [{"name": "BRANCH", "default": "main"}], "labels": True}

TRAITS: Mapping[str, Traits] = {
    "bitbucket": Traits(
        read_only=("read:repository:bitbucket", "read:pipeline:bitbucket"),
        options={"workspaces": ["payments"]},
        longest_wait=60,
        by_address=("bitbucket.org/repo-url", "backstage.io/source-location"),
    ),
    "jenkins": Traits(
        wrong_credential="nobody:wrong",
        signs=False,
        log_id="console",
        carried=lambda build: build.parameters,
        pipeline=_DECLARED,
    ),
    "travis": Traits(read_only=("pull",), longest_wait=60),
    "buildkite": Traits(read_only=("read_pipelines", "read_builds", "read_build_logs")),
}


def traits_of(slug: str) -> Traits:
    return TRAITS.get(slug, Traits())
