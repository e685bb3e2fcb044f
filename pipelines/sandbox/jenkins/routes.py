"""Jenkins' addresses: who may ask, what is asked of which item, and who answers."""

import base64
import binascii
import hashlib
import hmac

from .. import script
from ..objects import Build, Folder, Pipeline, Token
from ..wire import Answer, Request, json_answer, text_answer
from . import inputs, log, names, pages, stages, starting
from .model import Model, permalink
from .tree import BadTree, Exported, as_python, render

_START = ("build", "buildWithParameters")
_STOP = ("stop", "term", "kill")
# What a token may, and the permission that a refusal names.
_PERMISSIONS = {
    "read": "Job/Read",
    "build": "Job/Build",
    "cancel": "Job/Cancel",
    "configure": "Job/ExtendedRead",
    "administer": "Overall/SystemRead",
}
RIGHTS = tuple(_PERMISSIONS)
_CONFIGURATION = b"<?xml version='1.1' encoding='UTF-8'?>\n<flow-definition/>"
_PYTHON = "text/x-python;charset=utf-8"


def route(method: str, segments: tuple[str, ...]) -> str:
    """The class of a request.

    One of check, pipelines, builds, build, steps, log, queue, start, cancel, retry, unblock,
    page, other.
    """
    _, rest = split(segments)
    run = bool(rest) and _is_run(rest[0])
    tail = rest[1:] if run else rest
    if method == "POST":
        return _write_route(tail)
    if tail[:1] in (("whoAmI",), ("me",), ("crumbIssuer",)):
        return "check"
    if tail[:1] in (("logText",), ("consoleText",)) or tail[-1:] == ("log",):
        return "log"
    if tail[:1] in (("wfapi",), ("stages",), ("execution",)):
        return "steps"
    if tail[:1] == ("queue",):
        return "queue"
    if tail[-2:-1] == ("api",):
        if run:
            return "build"
        return "builds" if segments[:1] == ("job",) else "pipelines"
    return "page"


def _write_route(tail: tuple[str, ...]) -> str:
    last = tail[-1] if tail else ""
    if last in _START:
        return "start"
    if last in (*_STOP, "cancelItem"):
        return "cancel"
    if tail in (("replay", "rebuild"), ("stages", "rerun")):
        return "retry"
    if tail[:1] == ("input",) or tail[:2] == ("wfapi", "inputSubmit"):
        return "unblock"
    return "log" if tail[:1] == ("logText",) else "other"


def split(segments: tuple[str, ...]) -> tuple[list[str], tuple[str, ...]]:
    """`job/A/job/B/7/x` as (["A", "B"], ("7", "x"))."""
    items, at = [], 0
    while segments[at : at + 1] == ("job",) and at + 1 < len(segments):
        items.append(segments[at + 1])
        at += 2
    return items, segments[at:]


def _is_run(word: str) -> bool:
    return word.isdigit() or (word.startswith(("last", "first")) and word.endswith("Build"))


def answer(request: Request) -> Answer:
    """Any request below the instance's prefix."""
    token, refusal = _identify(request)
    if refusal is not None:
        return refusal
    if request.method == "POST" and not _crumb_fits(request):
        text = "No valid crumb was included in the request"
        return pages.error(request.instance, 403, text)
    names_, rest = split(request.segments)
    if rest[-2:] == ("api", "python"):
        rest = (*rest[:-1], "json")  # the same objects, see _exported
    if not names_:
        return _top(request, token, rest)
    item = names.find(request.instance, names_)
    model = _model(request, token)
    if item is None or not model.visible(item.name):
        return pages.not_found(request)
    if isinstance(item, Pipeline) and rest and _is_run(rest[0]):
        return _run(request, token, item, rest)
    return _item(request, token, item, rest)


def _model(request: Request, token: Token | None) -> Model:
    root = request.instance.options.get("root_url") or request.base
    return Model(request.instance, str(root), token)


# --- who ---------------------------------------------------------------------------------------
def _identify(request: Request) -> tuple[Token | None, Answer | None]:
    """The token, or the refusal. Pages for people and the crumb are open to anonymous."""
    header = request.headers.get("Authorization", "")
    if header:
        token = _basic(request, header)
        if token is None:
            return None, pages.bad_credentials(request.instance)
        request.entry.user = token.person.login
        return token, None
    open_to_all = request.entry.route == "page" or request.segments[:1] == ("whoAmI",)
    return None, None if open_to_all else pages.log_in_first(request)


def _basic(request: Request, header: str) -> Token | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, value = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    token = request.instance.tokens.get(value)
    if token is None or token.person.login != user:
        return None
    expired = token.expires_at is not None and request.instance.now() >= token.expires_at
    return None if expired else token


def crumb(request: Request) -> str:
    user = request.entry.user or "anonymous"
    return hmac.new(pages.SESSION.encode(), user.encode(), hashlib.sha256).hexdigest()


def _crumb_fits(request: Request) -> bool:
    """An API token needs no crumb, unless a proxy makes Jenkins ask for one (option)."""
    if not request.instance.options.get("crumb_required"):
        return True
    return hmac.compare_digest(request.headers.get("Jenkins-Crumb", ""), crumb(request))


def _may(request: Request, token: Token | None, right: str) -> Answer | None:
    """None, or the refusal."""
    if token is None:
        return pages.log_in_first(request)
    if right not in token.rights:
        return pages.lacks(request, token.person.login, _PERMISSIONS[right])
    return None


# --- what --------------------------------------------------------------------------------------
def _exported(request: Request, value: Exported) -> Answer:
    try:
        depth = min(int(request.get("depth") or 0), 2)
        shown = render(value, tree=request.get("tree"), depth=depth)
    except (BadTree, ValueError) as error:
        return pages.failure_page(request.instance, str(error))
    headers = pages.headers(request.instance)
    if request.segments[-1:] == ("python",):
        return Answer(200, as_python(shown).encode(), headers | {"Content-Type": _PYTHON})
    return json_answer(shown, headers=headers)


def _top(request: Request, token: Token | None, rest: tuple[str, ...]) -> Answer:
    model, instance = _model(request, token), request.instance
    match rest:
        case () | ("login",):
            return pages.item_page(request, instance.folders[""])
        case ("api", "json"):
            return _exported(request, _jenkins(model))
        case ("whoAmI", "api", "json"):
            return _exported(request, _who_am_i(token))
        case ("me", "api", "json") if token is not None:
            fields = {"id": token.person.login, "fullName": token.person.name}
            return _exported(request, Exported("hudson.model.User", fields))
        case ("crumbIssuer", "api", "json"):
            fields = {"crumb": crumb(request), "crumbRequestField": "Jenkins-Crumb"}
            return _exported(request, Exported("hudson.security.csrf.DefaultCrumbIssuer", fields))
        case ("queue", "api", "json"):
            items = [
                i for i in instance.queue.values() if i.waiting and model.visible(i.pipeline.name)
            ]
            shown = [model.queue_item(item) for item in items]
            return _exported(request, Exported("hudson.model.Queue", {"items": shown}))
        case ("queue", "item", number, "api", "json") if number.isdigit():
            found = instance.queue.get(int(number))
            if found is None or not model.visible(found.pipeline.name):
                return pages.not_found(request)
            return _exported(request, model.queue_item(found))
        case ("queue", "cancelItem") if token is not None:
            if request.method != "POST":
                return pages.needs_post(request)
            return starting.cancel_item(request, token)
        case ("pluginManager", "api", "json"):
            return _may(request, token, "administer") or _exported(request, _plugins())
        case ("computer", "api", "json"):
            return _exported(request, _computers(model))
    return pages.not_found(request)


def _jenkins(model: Model) -> Exported:
    fields = {
        "mode": "NORMAL",
        "nodeDescription": "the Jenkins controller's built-in node",
        "nodeName": "",
        "numExecutors": 0,
        "description": None,
        "jobs": lambda: model.children(model.instance.folders[""]),
        "quietingDown": bool(model.instance.options.get("quieting_down")),
        "useCrumbs": True,
        "useSecurity": True,
        "url": f"{model.root}/",
        "views": [],
    }
    return Exported("hudson.model.Hudson", fields)


def _plugins() -> Exported:
    plugin = Exported("hudson.PluginWrapper", {"shortName": "git", "active": True})
    return Exported("hudson.LocalPluginManager", {"plugins": [plugin]})


def _who_am_i(token: Token | None) -> Exported:
    name = token.person.login if token else "anonymous"
    fields = {
        "name": name,
        "anonymous": token is None,
        "authenticated": True,  # true for anonymous too
        "authorities": ["authenticated"] if token else ["anonymous"],
    }
    return Exported("hudson.security.WhoAmI", fields)


def _computers(model: Model) -> Exported:
    """Where running builds are seen; some clients look for a queued build's run here."""
    recent = model.instance.builds[-200:]
    running = [b for b in recent if b.at(model.now).state not in script.FINAL]
    executors = [
        Exported("hudson.model.OneOffExecutor", {"currentExecutable": model.run(build)})
        for build in running
        if model.visible(build.pipeline.name)
    ]
    computer = Exported(
        "hudson.model.Hudson$MasterComputer",
        {"displayName": "Built-In Node", "executors": [], "oneOffExecutors": executors},
    )
    return Exported("hudson.model.ComputerSet", {"computer": [computer]})


def _item(
    request: Request, token: Token | None, item: Pipeline | Folder, rest: tuple[str, ...]
) -> Answer:
    if not rest:
        return pages.item_page(request, item)
    if rest == ("api", "json"):
        return _may(request, token, "read") or _exported(request, _model(request, token).item(item))
    if rest == ("config.xml",):
        headers = pages.headers(request.instance) | {"Content-Type": "application/xml"}
        return _may(request, token, "configure") or Answer(200, _CONFIGURATION, headers)
    if len(rest) == 1 and rest[0] in _START:
        if request.method != "POST":
            return pages.needs_post(request)
        refusal = _may(request, token, "build")
        if refusal is not None or token is None:
            return refusal or pages.log_in_first(request)
        return starting.start(request, item, token, rest[0])
    if rest == ("wfapi", "runs") and isinstance(item, Pipeline) and item.kind != "freestyle":
        now, prefix = request.instance.now(), request.instance.prefix
        runs = [stages.describe(b, now, prefix) for b in item.newest_first()[:10]]
        return _may(request, token, "read") or json_answer(
            runs, headers=pages.headers(request.instance)
        )
    return pages.not_found(request)


def _run(request: Request, token: Token | None, item: Pipeline, rest: tuple[str, ...]) -> Answer:
    now = request.instance.now()
    number, rest = rest[0], rest[1:]
    build = item.builds.get(int(number)) if number.isdigit() else permalink(item, number, now)
    if build is None:
        return pages.not_found(request)
    if rest in ((), ("console",)):
        return pages.run_page(request, build)
    if _write_route(rest) != "other" and rest[0] != "logText":
        return _act(request, token, build, rest)
    refusal = _may(request, token, "read")
    if refusal is not None:
        return refusal
    match rest:
        case ("api", "json"):
            return _exported(request, _model(request, token).run(build))
        case ("consoleText",):
            return text_answer(log.plain(log.raw_log(build, now)))
        case ("logText", "progressiveText"):
            return log.progressive(request, build, now)
    shown = stages.answer(request, build, rest)
    if shown.headers.get("Content-Type", "").startswith("application/json"):
        shown.headers |= pages.headers(request.instance)
    return shown


def _act(request: Request, token: Token | None, build: Build, rest: tuple[str, ...]) -> Answer:
    """Writes on a run."""
    if request.method != "POST":
        return pages.needs_post(request)
    right = "cancel" if rest[0] in _STOP else "build"
    refusal = _may(request, token, right)
    if refusal is not None or token is None:
        return refusal or pages.log_in_first(request)
    if rest[0] in _STOP:
        return starting.stop(request, build, token)
    if rest == ("replay", "rebuild") and build.pipeline.kind != "freestyle":
        return starting.again(request, build, token, tell_queue_id=False)
    if rest == ("stages", "rerun") and build.pipeline.kind != "freestyle":
        return starting.again(request, build, token, tell_queue_id=True)
    if rest[0] == "input" and len(rest) == 3:
        return inputs.answer(request, token, build, rest[1], rest[2])
    if rest == ("wfapi", "inputSubmit"):
        return inputs.answer(request, token, build, request.get("inputId"), "submit")
    return pages.not_found(request)
