"""Drone 2.x' REST API, event streams and global webhook, as any client meets them."""

from ..wire import Vendor
from . import errors, hooks, routes

DRONE = Vendor(
    slug="drone",
    route=routes.route,
    answer=routes.answer,
    rate_limited=errors.rate_limited,
    failure=errors.failure,
    # As the source host grants them in every repository; Drone mirrors them.
    rights=("read", "write", "admin"),
    hooks=hooks.deliveries,
)
