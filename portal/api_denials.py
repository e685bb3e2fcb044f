"""How many denials of one token the trail takes: a script that goes wrong asks all night.

The log has all of them, and an API answer says why each time.
"""

import logging

from portal.rate import within

logger = logging.getLogger(__name__)

PER_MINUTE = 20


def for_the_trail(token_id: int | None, action: str, target: str) -> bool:
    """Whether this denial still goes into the trail; what is no token's always does."""
    if token_id is None:
        return True
    logger.warning("API token %s: denied %s of %s", token_id, action, target)
    return within(f"api-denials:{token_id}", PER_MINUTE)
