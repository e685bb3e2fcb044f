"""How many denials of one token the trail takes: a script that goes wrong asks all night.

The log has all of them, and an API answer says why each time.
"""

import logging

from django.core.cache import cache

logger = logging.getLogger(__name__)

PER_MINUTE = 20


def for_the_trail(token_id: int | None, action: str, target: str) -> bool:
    """Whether this denial still goes into the trail; what is no token's always does."""
    if token_id is None:
        return True
    logger.warning("API token %s: denied %s of %s", token_id, action, target)
    key = f"api-denials:{token_id}"
    if cache.add(key, 1, timeout=60):
        return True
    try:
        return cache.incr(key) <= PER_MINUTE
    except ValueError:  # the minute has just ended
        return True
