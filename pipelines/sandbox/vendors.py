"""The vendors that the sandbox speaks for; one line each."""

from .bitbucket import BITBUCKET
from .buildkite import BUILDKITE
from .drone import DRONE
from .jenkins import JENKINS
from .travis import TRAVIS
from .wire import Vendor

VENDORS: dict[str, Vendor] = {
    BITBUCKET.slug: BITBUCKET,
    BUILDKITE.slug: BUILDKITE,
    DRONE.slug: DRONE,
    JENKINS.slug: JENKINS,
    TRAVIS.slug: TRAVIS,
}
