"""Buildkite's REST API v2, as the portal's adapter and any other client meet it."""

from ..wire import Vendor
from . import errors, hooks, routes

BUILDKITE = Vendor(
    slug="buildkite",
    route=routes.route,
    answer=routes.answer,
    rate_limited=errors.rate_limited,
    rights=(
        "read_organizations",
        "read_pipelines",
        "read_builds",
        "read_build_logs",
        "write_builds",
        "read_user",
    ),
    api="/v2",
    failure=errors.failure,
    hooks=hooks.deliveries,
)
