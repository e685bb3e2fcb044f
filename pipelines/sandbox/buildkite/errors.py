"""How Buildkite refuses: JSON with a message, and now and then its edge's HTML."""

from ..engine import Instance
from ..wire import Answer, html_answer, json_answer


def message(status: int, text: str, **more: object) -> Answer:
    return json_answer({"message": text, **more}, status)


def no_token() -> Answer:
    return message(
        401,
        "Authentication required. Please supply a valid API Access Token: "
        "https://buildkite.com/docs/apis/rest-api#authentication",
    )


def no_scope(scope: str) -> Answer:
    return message(403, f"Your access token doesn't have the {scope} scope")


def not_found(what: str) -> Answer:
    return message(404, f"No {what} found")


def no_route(path: str) -> Answer:
    return message(404, f"No route matches {path}")


def invalid(*fields: tuple[str, str]) -> Answer:
    errors = [{"field": field, "code": code} for field, code in fields]
    return message(422, "Validation Failed", errors=errors)


def limited(scope: str, limit: int, current: int, seconds: float) -> Answer:
    """429: the reset is in seconds left, and there is no Retry-After."""
    reset = max(1, round(seconds))
    text = (
        f"You have exceeded your API rate limit. Please wait {reset} seconds before "
        "making more requests."
    )
    answer = message(429, text, scope=scope, limit=limit, current=current, reset=reset)
    name = "RateLimit-User" if scope == "rest_user" else "RateLimit"
    answer.headers |= {
        f"{name}-Limit": str(limit),
        f"{name}-Remaining": "0",
        f"{name}-Reset": str(reset),
        f"{name}-Scope": scope,
        f"{name}-Warning": text,
    }
    return answer


def rate_limited(_instance: Instance, seconds: float) -> Answer:
    return limited("rest", 200, 201, seconds)


def failure(_instance: Instance, status: int) -> Answer:
    if status == 500:
        return message(500, "Something went wrong")
    return html_answer(f"<html><body><h1>{status} Bad Gateway</h1></body></html>", status)
