"""How Bitbucket refuses: an envelope whose detail is a text or an object, and HTML at times."""

from ..engine import Instance
from ..wire import Answer, html_answer, json_answer, text_answer


def error(status: int, message: str, **more: object) -> Answer:
    return json_answer({"type": "error", "error": {"message": message, **more}}, status)


def bad_request(detail: str, key: str = "") -> Answer:
    """Of Pipelines: the message says nothing, the cause stands in the detail and the key."""
    data = {"data": {"key": key, "arguments": {}}} if key else {}
    return error(400, "Bad request", detail=detail, **data)


def unauthorized() -> Answer:
    return error(401, "Token is invalid, expired, or not supported for this endpoint.")


def no_scope(required: list[str], granted: list[str]) -> Answer:
    return error(
        403,
        "Your credentials lack one or more required privilege scopes.",
        detail={"required": required, "granted": granted},
    )


def no_repository(name: str) -> Answer:
    """Private and absent look alike."""
    return error(
        404,
        f"You may not have access to this repository or it no longer exists in this workspace. "
        f"Repository {name} not found",
    )


def no_pipeline() -> Answer:
    detail = "The requested pipeline was not found."
    key = "result-service.pipeline-id.not-found"
    return error(404, "Not found", detail=detail, data={"key": key, "arguments": {}})


def no_page(who: str) -> Answer:
    """An address that the API does not have gives a whole page, with who looks at it."""
    return html_answer(
        f'<!doctype html><html><body data-current-user="{who}"><h1>Not found</h1>'
        f"{'<!-- page state -->' * 200}</body></html>",
        404,
    )


def gone() -> Answer:
    return error(410, "This endpoint has been removed, see CHANGE-2770.")


def rate_limited(_instance: Instance, _seconds: float) -> Answer:
    """Neither when to come back nor JSON."""
    return text_answer("Rate limit for this resource has been exceeded", 429)


def failure(_instance: Instance, status: int) -> Answer:
    if status == 500:
        return error(500, "Something went wrong", id="5a9de40c")
    return html_answer(f"<html><body><h1>{status}</h1></body></html>", status)
