"""The vendors that the sandbox speaks for; one line each."""

from .buildkite import BUILDKITE
from .jenkins import JENKINS
from .wire import Vendor

VENDORS: dict[str, Vendor] = {
    BUILDKITE.slug: BUILDKITE,
    JENKINS.slug: JENKINS,
}
