"""Who asks: API tokens by Basic, access tokens and OAuth's short-lived ones by Bearer.

A token's rights are named as API tokens name them; for the other two kinds they are translated.
"""

import base64
import binascii
import secrets
import time
from dataclasses import dataclass, field

from ..engine import Instance
from ..objects import Token
from ..wire import Answer, Request, json_answer
from . import errors

# OAuth's name of a right -> those of API tokens.
SCOPES: dict[str, tuple[str, ...]] = {
    "repository": ("read:repository:bitbucket",),
    "repository:admin": ("admin:repository:bitbucket",),
    "pipeline": ("read:pipeline:bitbucket",),
    "pipeline:write": ("write:pipeline:bitbucket",),
    "webhook": ("read:webhook:bitbucket", "write:webhook:bitbucket"),
    "account": ("read:user:bitbucket", "read:workspace:bitbucket"),
}
RIGHTS = tuple(name for names in SCOPES.values() for name in names)
# What a class of requests needs, under both names.
NEEDS: dict[str, tuple[tuple[str, ...], str]] = {
    "pipelines": (SCOPES["repository"], "repository"),
    "source": (SCOPES["repository"], "repository"),
    "builds": (SCOPES["pipeline"], "pipeline"),
    "build": (SCOPES["pipeline"], "pipeline"),
    "steps": (SCOPES["pipeline"], "pipeline"),
    "log": (SCOPES["pipeline"], "pipeline"),
    "start": ((*SCOPES["pipeline"], *SCOPES["pipeline:write"]), "pipeline:write"),
    "cancel": (SCOPES["pipeline:write"], "pipeline:write"),
    "activate": (SCOPES["repository:admin"], "repository:admin"),
    "hooks": (SCOPES["webhook"], "webhook"),
    "user": (("read:user:bitbucket",), "account"),
    "organizations": (("read:workspace:bitbucket",), "account"),
}
OAUTH_SECONDS = 7200
UNLIMITED = 1_000_000  # requests an hour, unless the instance's options say otherwise
HOUR = 3600


@dataclass(frozen=True)
class Caller:
    """A token and the way in which it came: api_token, access_token or oauth."""

    token: Token
    kind: str

    @property
    def held(self) -> list[str]:
        rights = self.token.rights
        if self.kind == "api_token":
            return sorted(rights)
        named = {name for name, api in SCOPES.items() if set(api) <= rights}
        return sorted(named | (rights & SCOPES.keys()))

    def needs(self, route: str) -> list[str]:
        api, oauth = NEEDS.get(route, ((), ""))
        return list(api) if self.kind == "api_token" else [oauth] if oauth else []

    def lacks(self, route: str) -> bool:
        """No scope of an API token implies another; OAuth's write holds its read."""
        held = set(self.held)
        if self.kind != "api_token":
            held |= {name.removesuffix(":write") for name in held}
        return not set(self.needs(route)) <= held


def caller(request: Request) -> Caller | None:
    """None for a credential that is wrong, of the wrong kind or expired."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    instance = request.instance
    if scheme.lower() == "basic":
        name, secret = _basic(value)
        token = instance.tokens.get(secret)
        found = Caller(token, "api_token") if token and token.person.email == name else None
    elif value in issued(instance):
        token, until = issued(instance)[value]
        found = Caller(token, "oauth") if until > instance.now() else None
    else:
        token = instance.tokens.get(value) if scheme.lower() == "bearer" else None
        found = Caller(token, "access_token") if token else None
    if found is None or _expired(instance, found.token):
        return None
    return found


def _expired(instance: Instance, token: Token) -> bool:
    ended = token.expires_at is not None and instance.now() >= token.expires_at
    return ended or token.value not in instance.tokens


def issued(instance: Instance) -> dict[str, tuple[Token, float]]:
    """OAuth's access tokens: whose, and until when."""
    known: dict[str, tuple[Token, float]] = instance.memory.setdefault("oauth", {})
    return known


def _basic(value: str) -> tuple[str, str]:
    try:
        name, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, secret


def access_token(request: Request) -> Answer:
    """`POST /site/oauth2/access_token`; a consumer's key is a login, its secret the token."""
    fields = dict(request.form())
    key, secret = _basic(request.headers.get("Authorization", "").partition(" ")[2])
    token = request.instance.tokens.get(secret)
    if token is None or token.person.login != key or _expired(request.instance, token):
        return json_answer({"error": "invalid_client", "error_description": "Invalid client"}, 401)
    if fields.get("grant_type") != "client_credentials":
        return json_answer({"error": "unsupported_grant_type"}, 400)
    request.entry.user = key
    seconds = int(str(request.instance.options.get("oauth_seconds", OAUTH_SECONDS)))
    value = secrets.token_urlsafe(24)
    issued(request.instance)[value] = (token, request.instance.now() + seconds)
    return json_answer(
        {
            "access_token": value,
            "expires_in": seconds,
            "token_type": "bearer",
            "state": "client_credentials",
            "scopes": " ".join(Caller(token, "oauth").held),
        }
    )


# --- Limits ----------------------------------------------------------------------------------
@dataclass
class _Window:
    began: float = field(default_factory=time.monotonic)
    used: int = 0


def spend(instance: Instance, who: Caller) -> tuple[dict[str, str], Answer | None]:
    """Headers, which only access tokens get, and the refusal when the limit is spent.

    Option: `limit`, requests an hour.
    """
    windows: dict[str, _Window] = instance.memory.setdefault("limits", {})
    window = windows.setdefault(who.token.value, _Window())
    if time.monotonic() - window.began >= HOUR:
        window.began, window.used = time.monotonic(), 0
    window.used += 1
    limit = int(str(instance.options.get("limit", UNLIMITED)))
    headers = {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Resource": "api-repositories",
        "X-RateLimit-NearLimit": str(window.used > limit * 0.8).lower(),
    }
    refusal = errors.rate_limited(instance, 0) if window.used > limit else None
    return headers if who.kind == "access_token" else {}, refusal
