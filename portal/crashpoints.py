"""Named places where a test kills the worker, to show that nothing is lost or done twice there.

Inert outside STAGEDOOR_ENV=test. The plan is in STAGEDOOR_CRASH_AT, "point:key,point:key"; each
entry kills once, noted by a file, since a worker that dies at one place for ever proves nothing.
"""

import os
import signal

from django.conf import settings

# Not among the settings, and not in .env.example: no installation has a use for it.
_PLAN = os.environ.get("STAGEDOOR_CRASH_AT", "") if settings.ENVIRONMENT == "test" else ""
PLAN = frozenset(_PLAN.split(","))


def reached(point: str, key: object) -> None:
    """Kills this process here, without any clean-up, if the plan says so."""
    entry = f"{point}:{key}"
    if entry not in PLAN:
        return
    try:
        (settings.DATA_DIR / f"crashed-{point}-{key}").touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
