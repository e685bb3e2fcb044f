"""The pipelines of Limelight, the demo organisation: believable builds at every vendor.

The names are those that `catalog/demo_org` annotates its components with.
"""

from typing import Any

from .buildkite import BUILDKITE
from .jenkins import JENKINS, OPS

DEFINITION: dict[str, Any] = {"instances": [JENKINS, OPS, BUILDKITE]}
