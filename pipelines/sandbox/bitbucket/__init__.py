"""Bitbucket Cloud's REST API 2.0 with Pipelines, as the portal's adapter and any other client
meet it."""

from ..wire import Vendor
from . import errors, hooks, routes
from .auth import RIGHTS

BITBUCKET = Vendor(
    slug="bitbucket",
    route=routes.route,
    answer=routes.answer,
    rate_limited=errors.rate_limited,
    failure=errors.failure,
    rights=RIGHTS,
    api="/2.0",
    credential=lambda login, token: f"{login}@ci.example:{token}",
    hooks=hooks.deliveries,
)
