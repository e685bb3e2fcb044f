"""SAML identity providers for the tests: npm's samlp as a process, and answers made by hand."""

import base64
import datetime
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from onelogin.saml2.utils import OneLogin_Saml2_Utils

from tests.npm import install
from tests.plugins.ports import free_port

PORTAL = "http://testserver"
ACS = f"{PORTAL}/accounts/saml/company/acs/"
AUDIENCE = f"{PORTAL}/accounts/saml/company/metadata/"
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Key:
    """A signing key with its self-signed certificate, both PEM."""

    private: str
    certificate: str


def new_key() -> Key:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp.example")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    return Key(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain
        ).decode(),
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
    )


@contextmanager
def running(key: Key) -> Iterator[str]:
    """The provider's metadata, as long as it runs."""
    folder, port = install("saml-idp", HERE / "idp"), free_port()
    environ = {
        **os.environ, "PORT": str(port), "ACS": ACS, "AUDIENCE": AUDIENCE,
        "KEY": key.private, "CERT": key.certificate,
    }  # fmt: skip
    process = subprocess.Popen(
        ["node", "server.js"],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        lines = iter(process.stdout.readline, "")
        assert any(line.strip() == "ready" for line in lines), "the provider did not start"
        yield requests.get(f"http://127.0.0.1:{port}/metadata", timeout=10).text
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def metadata(*keys: Key) -> str:
    """Of a provider that exists on paper only, with several keys while it changes them."""
    described = "".join(_described(key) for key in keys)
    return f"""<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"
  entityID="https://idp.example/metadata"><md:IDPSSODescriptor
  protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">{described}
  <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
  Location="https://idp.example/sso"/></md:IDPSSODescriptor></md:EntityDescriptor>"""


def _described(key: Key) -> str:
    certificate = "".join(key.certificate.splitlines()[1:-1])
    return f"""<md:KeyDescriptor use="signing">
  <ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>
  {certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"""


def assertion(
    request_id: str,
    *,
    issuer: str = "https://idp.example/metadata",
    audience: str = AUDIENCE,
    name_id: str = "mara-0001",
    groups: tuple[str, ...] = ("payments",),
    lasts: int = 300,
    assertion_id: str = "",
) -> str:
    """An unsigned assertion; `lasts` is in seconds and may be negative."""
    assertion_id = assertion_id or f"_of{request_id}"
    now = datetime.datetime.now(datetime.UTC)
    before, after = (
        _time(now - datetime.timedelta(hours=1)),
        _time(now + datetime.timedelta(seconds=lasts)),
    )
    values = "".join(f"<saml:AttributeValue>{group}</saml:AttributeValue>" for group in groups)
    return f"""<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"
 ID="{assertion_id}" Version="2.0" IssueInstant="{_time(now)}"><saml:Issuer>{issuer}</saml:Issuer>
<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">{name_id}
</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">
<saml:SubjectConfirmationData NotOnOrAfter="{after}" Recipient="{ACS}" InResponseTo="{request_id}"/>
</saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="{before}"
 NotOnOrAfter="{after}"><saml:AudienceRestriction><saml:Audience>{audience}</saml:Audience>
</saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant="{_time(now)}"
 SessionIndex="_s1"><saml:AuthnContext><saml:AuthnContextClassRef>
urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext>
</saml:AuthnStatement><saml:AttributeStatement><saml:Attribute Name="groups">{values}
</saml:Attribute></saml:AttributeStatement></saml:Assertion>""".replace(
        "\n</saml:NameID>", "</saml:NameID>"
    )


def signed(xml: str, key: Key) -> str:
    """The element with an enveloped RSA-SHA256 signature."""
    text = OneLogin_Saml2_Utils.add_sign(xml, key.private, key.certificate)
    return text.decode() if isinstance(text, bytes) else text


def response(
    request_id: str, *assertions: str, issuer: str = "https://idp.example/metadata"
) -> str:
    now = _time(datetime.datetime.now(datetime.UTC))
    return f"""<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"
 xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_response" Version="2.0"
 IssueInstant="{now}" Destination="{ACS}" InResponseTo="{request_id}"><saml:Issuer>{issuer}
</saml:Issuer><samlp:Status><samlp:StatusCode
 Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>{"".join(assertions)}
</samlp:Response>""".replace("\n</saml:Issuer>", "</saml:Issuer>")


def encoded(xml: str) -> str:
    """As a browser posts it."""
    return base64.b64encode(xml.encode()).decode()


def _time(moment: datetime.datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
