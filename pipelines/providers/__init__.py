"""The kinds of CI that Stagedoor speaks to; README.md says how to add one."""

from pipelines.providers.bitbucket import Bitbucket
from pipelines.providers.buildkite import Buildkite
from pipelines.providers.drone import Drone
from pipelines.providers.jenkins import Jenkins
from pipelines.providers.provider import Provider
from pipelines.providers.travis import Travis

PROVIDERS: dict[str, type[Provider]] = {
    Bitbucket.slug: Bitbucket,
    Buildkite.slug: Buildkite,
    Drone.slug: Drone,
    Jenkins.slug: Jenkins,
    Travis.slug: Travis,
}
