"""How Drone refuses: `{"message": …}`, mostly 404; and what a proxy in front of it says."""

from ..engine import Instance
from ..wire import Answer, html_answer, json_answer

NO_CACHE = {
    "Cache-Control": "no-cache, no-store, must-revalidate, private, max-age=0",
    "Expires": "Thu, 01 Jan 1970 00:00:00 UTC",
    "Pragma": "no-cache",
    "Vary": "Origin",
    "X-Accel-Expires": "0",
}


def message(status: int, text: str) -> Answer:
    return json_answer({"message": text}, status, NO_CACHE)


def unauthorized() -> Answer:
    """For guests only."""
    return message(401, "Unauthorized")


def forbidden() -> Answer:
    return message(403, "Forbidden")


def not_found() -> Answer:
    """No right, an unknown repository, or the source host could not be asked."""
    return message(404, "Not Found")


def no_rows() -> Answer:
    """An unknown build, stage or log: the database's own words."""
    return message(404, "sql: no rows in result set")


def no_number(text: str) -> Answer:
    return message(400, f'strconv.ParseInt: parsing "{text}": invalid syntax')


def rate_limited(_instance: Instance, seconds: float) -> Answer:
    """Drone has no limits: this is a proxy's answer."""
    body = "<html><body><h1>429 Too Many Requests</h1></body></html>"
    return html_answer(body, 429, {"Retry-After": str(max(1, round(seconds)))})


def failure(_instance: Instance, status: int) -> Answer:
    if status == 409:
        return message(409, "Optimistic Lock Error")
    if status <= 501:
        return message(status, "Internal Server Error" if status == 500 else "Not Implemented")
    return html_answer(f"<html><body><h1>{status} Bad Gateway</h1></body></html>", status)
