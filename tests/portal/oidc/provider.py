"""An identity provider over real HTTP that can be told to lie, for what honest ones never send."""

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from django.http import HttpResponse
from django.test import Client
from jwt.algorithms import RSAAlgorithm

from portal.process_cache import notes
from tests.httpd import Httpd, json_reply, reply, serve

CLIENT_ID = "portal-under-test"
CLIENT_SECRET = "a-secret-of-the-portal-under-test"
DROP = object()  # a claim's value that leaves the claim out


@dataclass
class Key:
    """A signing key and its public half as the JWKS shows it."""

    kid: str = "first"
    private: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )

    @property
    def public(self) -> dict[str, Any]:
        jwk = json.loads(RSAAlgorithm.to_jwk(self.private.public_key()))
        return {**jwk, "kid": self.kid, "use": "sig", "alg": "RS256"}


@dataclass
class Provider:
    """Change its attributes to change what it says; by default it is honest."""

    httpd: Httpd
    key: Key = field(default_factory=Key)
    published: list[dict[str, Any]] = field(default_factory=list)
    subject: str = "subject-1"
    claims: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    discovery: dict[str, Any] = field(default_factory=dict)
    id_token: str | None = None
    token_status: int = 200
    nonce: str = ""
    challenge: str = ""

    def __post_init__(self) -> None:
        self.published = self.published or [self.key.public]
        self.httpd.behaviour = self.answer

    @property
    def issuer(self) -> str:
        return self.httpd.url

    def document(self) -> dict[str, Any]:
        endpoints = {
            "authorization_endpoint": "/authorize", "token_endpoint": "/token",
            "userinfo_endpoint": "/userinfo", "jwks_uri": "/jwks", "end_session_endpoint": "/end",
        }  # fmt: skip
        document = {name: self.issuer + path for name, path in endpoints.items()}
        return without_dropped({"issuer": self.issuer, **document, **self.discovery})

    def token(self, **changes: Any) -> str:
        """A signed ID token; `claims` and then `changes` replace what an honest one holds."""
        now = int(time.time())
        claims = {
            "iss": self.issuer, "sub": self.subject, "aud": CLIENT_ID, "nonce": self.nonce,
            "iat": now, "exp": now + 300, **self.claims, **changes,
        }  # fmt: skip
        headers = {"kid": self.key.kid}
        return jwt.encode(
            without_dropped(claims), self.key.private, algorithm="RS256", headers=headers
        )

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = urlsplit(handler.path).path
        if path == "/.well-known/openid-configuration":
            return json_reply(json.dumps(self.document()))(handler)
        if path == "/jwks":
            return json_reply(json.dumps({"keys": self.published}))(handler)
        if path == "/token":
            return self.answer_token(handler)
        if path == "/userinfo":
            sub = {"sub": self.subject}
            return json_reply(json.dumps({**sub, **self.userinfo}))(handler)
        return reply(404)(handler)

    def answer_token(self, handler: BaseHTTPRequestHandler) -> None:
        """Checks client and PKCE as RFC 7636, section 4.6, wants it."""
        sent = {name: values[0] for name, values in parse_qs(self.last_body()).items()}
        digest = sha256(sent.get("code_verifier", "").encode()).digest()
        good = (
            self.token_status == 200
            and sent.get("client_secret") == CLIENT_SECRET
            and urlsafe_b64encode(digest).decode().rstrip("=") == self.challenge
        )
        if not good:
            status = self.token_status if self.token_status != 200 else 400
            return json_reply('{"error": "invalid_grant"}', status)(handler)
        tokens = {"access_token": "access", "id_token": self.id_token or self.token()}
        return json_reply(json.dumps({**tokens, "token_type": "Bearer"}))(handler)

    def last_body(self) -> str:
        return self.httpd.asked[-1].body.decode()

    def paths(self) -> list[str]:
        """What it was asked for, in order."""
        return [urlsplit(asked.path).path for asked in self.httpd.asked]


def without_dropped(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not DROP}


@contextmanager
def running_provider() -> Iterator[Provider]:
    with serve(reply(404)) as httpd:
        yield Provider(httpd)


@contextmanager
def configured_provider(settings: Any) -> Iterator[Provider]:
    """A provider, and the portal set up for it."""
    with running_provider() as running:
        notes.clear()
        settings.OIDC_OP_ISSUER = running.issuer
        settings.OIDC_RP_CLIENT_ID = CLIENT_ID
        settings.OIDC_RP_CLIENT_SECRET = CLIENT_SECRET
        settings.OIDC_TIMEOUT = 2
        yield running
        notes.clear()


def begin(client: Client, provider: Provider, next_url: str = "") -> dict[str, str]:
    """Starts a sign-in; returns the parameters that the portal sent to the provider."""
    response = client.get("/oidc/authenticate/", {"next": next_url} if next_url else {})
    assert response.status_code == 302, response.content
    return remember(response, provider)


def remember(response: HttpResponse, provider: Provider) -> dict[str, str]:
    """Lets the provider see the authorization request that a redirect of the portal makes."""
    assert response["Location"].startswith(provider.issuer + "/authorize?"), response["Location"]
    sent = {
        name: values[0] for name, values in parse_qs(urlsplit(response["Location"]).query).items()
    }
    provider.nonce, provider.challenge = sent["nonce"], sent["code_challenge"]
    return sent


def finish(client: Client, sent: dict[str, str]) -> HttpResponse:
    """The provider sends the person back with a code."""
    return client.get("/oidc/callback/", {"code": "code-1", "state": sent["state"]})


def sign_in(client: Client, provider: Provider, next_url: str = "") -> HttpResponse:
    return finish(client, begin(client, provider, next_url))
