"""What Jenkins answers in HTML: errors, the log-in page, and the pages behind links."""

from html import escape

from .. import html
from ..engine import Instance
from ..objects import Build, Folder, Pipeline
from ..wire import Answer, Request, html_answer
from . import names
from .log import plain, raw_log

VERSION = "2.541.3"
SESSION = "5f2d9c1e"


def headers(instance: Instance) -> dict[str, str]:
    """On every page and API answer; not on plain-text logs, 201s and bare redirects."""
    return {
        "X-Jenkins": str(instance.options.get("version", VERSION)),
        "X-Jenkins-Session": SESSION,
        "X-Content-Type-Options": "nosniff",
    }


def error(
    instance: Instance, status: int, text: str, extra: dict[str, str] | None = None
) -> Answer:
    body = (
        f"<html><head><title>Error {status} {escape(text)}</title></head><body>"
        f"<h2>HTTP ERROR {status} {escape(text)}</h2></body></html>"
    )
    return html_answer(body, status, headers(instance) | (extra or {}))


def failure_page(instance: Instance, text: str) -> Answer:
    """A `Failure`: 400 with the sentence in the page and in a header."""
    return error(instance, 400, text, {"X-Error": text})


def not_found(request: Request) -> Answer:
    return error(request.instance, 404, "Not Found")


def bad_credentials(instance: Instance) -> Answer:
    return error(instance, 401, "Unauthorized", {"WWW-Authenticate": 'Basic realm="Jenkins"'})


def log_in_first(request: Request) -> Answer:
    """403 for anonymous: Jenkins never challenges."""
    target = f"/{request.instance.prefix}/login?from={escape(request.path)}"
    body = (
        f"<html><head><meta http-equiv='refresh' content='1;url={target}'/></head>"
        "<body>Authentication required</body></html>"
    )
    return html_answer(body, 403, headers(request.instance) | _rights("anonymous", "Overall/Read"))


def lacks(request: Request, user: str, permission: str) -> Answer:
    text = f"{user} is missing the {permission} permission"
    return error(request.instance, 403, text, _rights(user, permission))


def _rights(user: str, permission: str) -> dict[str, str]:
    return {
        "X-You-Are-Authenticated-As": user,
        "X-You-Are-In-Group-Disabled": "JENKINS-39402: use -Dhudson.security.AccessDeniedException2"
        ".REPORT_GROUP_HEADERS=true or use /whoAmI to diagnose",
        "X-Required-Permission": _permission_class(permission),
        "X-Permission-Implied-By": "hudson.security.Permission.GenericUpdate",
    }


def _permission_class(permission: str) -> str:
    group, _, name = permission.partition("/")
    return f"hudson.model.{'Hudson' if group == 'Overall' else 'Item'}.{name}"


def needs_post(request: Request) -> Answer:
    body = "<form method='POST'>You must use POST method. <input type='submit' value='Try POSTing'>"
    return html_answer(body, 405, headers(request.instance) | {"Allow": "POST"})


def rate_limited(instance: Instance, seconds: float) -> Answer:
    """Jenkins has no limits of its own: this is a proxy's answer, without X-Jenkins."""
    body = "<html><body><h1>429 Too Many Requests</h1></body></html>"
    return html_answer(body, 429, {"Retry-After": str(max(1, round(seconds)))})


def failure(instance: Instance, status: int) -> Answer:
    if status == 503:
        return error(instance, 503, "Please wait while Jenkins is getting ready to work")
    if status != 500:
        return html_answer(f"<html><body><h1>{status} Bad Gateway</h1></body></html>", status)
    body = "<html><body><h1>Oops!</h1><p>A problem occurred while processing the request.</p>"
    return html_answer(body, 500, headers(instance))


# --- pages behind links: readable without signing in, so that the demo's links work -----------
def item_page(request: Request, item: Pipeline | Folder) -> Answer:
    instance = request.instance
    if isinstance(item, Folder):
        children = [(f"{request.base}/{names.path_of(child)}", child) for child in item.children]
        return html.page(item.name or "Jenkins", html.links(children), headers(instance))
    now = instance.now()
    builds = [
        (
            f"{request.base}/{names.path_of(item.name)}{build.number}/",
            f"#{build.number} {build.at(now).state}",
        )
        for build in item.newest_first()[:30]
    ]
    return html.pipeline_page(item, builds, headers(instance))


def run_page(request: Request, build: Build) -> Answer:
    now = request.instance.now()
    return html.build_page(build, now, plain(raw_log(build, now)), headers(request.instance))
