"""Jenkins, as the portal's adapter and any other client meet it."""

from ..wire import Vendor
from . import hooks, pages, routes

JENKINS = Vendor(
    slug="jenkins",
    route=routes.route,
    answer=routes.answer,
    rate_limited=pages.rate_limited,
    failure=pages.failure,
    rights=routes.RIGHTS,
    credential=lambda login, token: f"{login}:{token}",
    hook_path=lambda secret: f"{secret}/",
    hooks=hooks.deliveries,
)
