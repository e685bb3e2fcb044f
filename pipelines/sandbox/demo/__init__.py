"""The pipelines of Limelight, the demo organisation: believable builds at every vendor.

The names are those that `catalog/demo_org` annotates its components with.
"""

from typing import Any

from .bitbucket import BITBUCKET
from .buildkite import BUILDKITE
from .drone import DRONE
from .jenkins import JENKINS, OPS
from .travis import TRAVIS

DEFINITION: dict[str, Any] = {"instances": [JENKINS, OPS, BUILDKITE, DRONE, TRAVIS, BITBUCKET]}
