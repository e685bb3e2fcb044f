"""How often something happens a minute, counted by each process for itself.

These limits bound how much is written and worked, and cost next to nothing themselves. What guards
a password or a code counts for all processes: allauth's limits, in Django's default cache.
"""

from portal.process_cache import notes


def within(key: str, most: int) -> bool:
    """Counts once more under this key; whether that is among the first `most` of its minute."""
    if notes.add(key, 1, timeout=60):
        return True
    try:
        return bool(notes.incr(key) <= most)
    except ValueError:  # the minute has just ended
        return True
