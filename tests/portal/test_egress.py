"""Where the portal may connect to, whatever a URL or a name server says."""

import socket
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from portal.http import Blocked, ConnectFailed, HttpClient
from tests.httpd import reply, serve


@pytest.fixture
def client():
    return HttpClient(allow=["127.0.0.1"], timeout=(1, 1), deadline=1.5)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://2130706433:{port}/",
        "http://0.0.0.0:{port}/",
        "http://[::1]:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://[64:ff9b::7f00:1]:{port}/",
        "http://[2002:7f00:1::]:{port}/",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://100.100.100.200/",
        "http://169.254.169.254/latest/meta-data/",
        "http://168.63.129.16/",
        "http://192.0.0.192/",
        "http://[::127.0.0.1]:{port}/",
        "http://[::ffff:0:127.0.0.1]:{port}/",
        "http://[64:ff9b:1::7f00:1]:{port}/",
        "http://[fec0::1]/",
        "http://[fe80::1]/",
        "http://[fd00:ec2::254]/",
        "http://224.0.0.1/",
        "http://[ff0e::1]/",
    ],
)
def test_private_and_reserved_addresses_are_refused(url):
    with serve(reply()) as httpd, pytest.raises(Blocked):
        HttpClient().request("GET", url.format(port=httpd.port))
    assert httpd.connections == 0


@pytest.mark.parametrize("allow", ["127.0.0.1", "127.0.0.0/8", "LOCALHOST"])
def test_what_an_operator_allows_is_reached(allow):
    with serve(reply()) as httpd:
        url = f"http://localhost:{httpd.port}/"
        assert HttpClient(allow=[allow]).request("GET", url).status == 200


def test_an_allowed_name_allows_no_other_name_of_the_address():
    with serve(reply()) as httpd, pytest.raises(Blocked):
        HttpClient(allow=["localhost"]).request("GET", httpd.url)


# --- Names ---------------------------------------------------------------------------------------
@pytest.fixture
def names(monkeypatch):
    """A name server of our own: name -> the addresses that it gives, one after the other."""
    real, given = socket.getaddrinfo, {}

    def look_up(host, port, *args, **kwargs):
        answers = given.get(host)
        return real(answers.pop(0) if answers else host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return given


def test_a_name_is_resolved_once_and_that_address_is_used(client, names):
    names["ci.example"] = ["127.0.0.1", "10.0.0.1"]
    with serve(reply(200, "x")) as httpd:
        answer = client.request("GET", f"http://ci.example:{httpd.port}/")
    assert answer.status == 200
    assert httpd.asked[0].headers["Host"] == f"ci.example:{httpd.port}"
    assert names["ci.example"] == ["10.0.0.1"]


def test_a_name_that_turns_private_is_refused(client, names):
    names["ci.example"] = ["10.0.0.1"]
    with pytest.raises(Blocked, match=r"ci\.example"):
        client.request("GET", "http://ci.example/")


def test_tls_checks_the_name_and_not_the_address(names, tmp_path):
    certificate = self_signed(tmp_path, "ci.example")
    names |= {"ci.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]}
    client = HttpClient(allow=["127.0.0.1"], ca_bundle=str(certificate))
    with serve(reply(200, "safe")) as httpd:
        wrap_in_tls(httpd, certificate)
        assert client.request("GET", f"https://ci.example:{httpd.port}/").text() == "safe"
        with pytest.raises(ConnectFailed, match="certificate"):
            client.request("GET", f"https://other.example:{httpd.port}/")


def test_a_certificate_that_nobody_vouches_for_is_refused(names, tmp_path):
    certificate = self_signed(tmp_path, "ci.example")
    names["ci.example"] = ["127.0.0.1"]
    with serve(reply()) as httpd:
        wrap_in_tls(httpd, certificate)
        with pytest.raises(ConnectFailed, match="certificate"):
            HttpClient(allow=["127.0.0.1"]).request("GET", f"https://ci.example:{httpd.port}/")
    assert httpd.asked == []


def self_signed(folder, name):
    """A PEM file that holds key and certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "certificate.pem"
    path.write_bytes(private + certificate.public_bytes(pem))
    return path


def wrap_in_tls(httpd, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    httpd.server.socket = context.wrap_socket(httpd.server.socket, server_side=True)
