"""Travis CI's API v3, as the portal's adapter and any other client meet it."""

from ..wire import Vendor
from . import errors, hooks, routes

TRAVIS = Vendor(
    slug="travis",
    route=routes.route,
    answer=routes.answer,
    rate_limited=errors.rate_limited,
    failure=errors.failure,
    # What the token's user may do in a repository at its host; Travis itself knows no scopes.
    rights=("pull", "push", "admin"),
    hooks=hooks.deliveries,
)
