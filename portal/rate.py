"""How often something happens a minute: counted in the cache."""

from django.core.cache import cache


def within(key: str, most: int) -> bool:
    """Counts once more under this key; whether that is among the first `most` of its minute."""
    if cache.add(key, 1, timeout=60):
        return True
    try:
        return bool(cache.incr(key) <= most)
    except ValueError:  # the minute has just ended
        return True
