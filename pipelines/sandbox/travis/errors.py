"""How Travis CI refuses: typed JSON from the API, plain text from the layers before it."""

from ..engine import Instance
from ..wire import Answer, json_answer, text_answer


def error(status: int, kind: str, message: str, **more: object) -> Answer:
    return json_answer(
        {"@type": "error", "error_type": kind, "error_message": message, **more}, status
    )


def no_login() -> Answer:
    return error(403, "login_required", "login required")


def bad_scheme() -> Answer:
    return error(403, "wrong_credentials", "access denied")


def bad_token() -> Answer:
    """There is no 401: a token that is not known never reaches the API."""
    return text_answer("access denied", 403)


def not_found(what: str = "resource") -> Answer:
    text = f"{what} not found (or insufficient access)"
    return error(404, "not_found", text, resource_type=what)


def no_access(permission: str, what: str, shown: dict[str, object]) -> Answer:
    text = f"operation requires {permission} access to {what}"
    return error(
        403, "insufficient_access", text, resource_type=what, permission=permission, **{what: shown}
    )


def inactive(shown: dict[str, object]) -> Answer:
    return error(406, "repository_inactive", "cannot create requests", repository=shown)


def migrated() -> Answer:
    text = "This repository has been migrated to travis-ci.com."
    return error(403, "repo_migrated", text)


def conflict(kind: str, message: str) -> Answer:
    return error(409, kind, message)


def wrong_params(message: str = "wrong parameters") -> Answer:
    return error(400, "wrong_params", message)


def too_many_requests(most: int) -> Answer:
    return error(
        429,
        "request_limit_reached",
        "request limit reached for resource",
        max_requests=most,
        per_seconds=3600,
    )


def throttled() -> Answer:
    return text_answer("Retry later\n", 429)


def banned() -> Answer:
    return text_answer("Forbidden\n", 403)


def rate_limited(_instance: Instance, _seconds: float) -> Answer:
    """Neither a Retry-After nor any other header tells for how long."""
    return throttled()


def failure(_instance: Instance, status: int) -> Answer:
    if status == 500:
        text = "Sorry, we experienced an error.\n\nrequest_id:0f1e2d3c"
        return text_answer(text, 500)
    return text_answer(f"{status}\n", status)
