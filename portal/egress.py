"""Which addresses the portal may connect to: the guard against requests forged through it.

Admins and descriptors name URLs. Without this guard such a URL could point at the cloud's metadata
service, at a database on the private network or at the portal itself. A name is resolved once, and
the connection goes to the very addresses that were judged, so that no second answer of the name
server can lead elsewhere.
"""

import ipaddress
import socket
import ssl
import threading
from collections.abc import Sequence
from http.cookiejar import DefaultCookiePolicy
from typing import Any, cast

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError as Urllib3Error

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# What socket.getaddrinfo() gives: family, type, protocol, canonical name, socket address.
AddressInfo = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int]]

# Azure's platform address and Oracle's metadata service: they answer from every virtual machine
# and pass for public ones.
METADATA = frozenset(map(ipaddress.ip_address, ("168.63.129.16", "192.0.0.192")))
# All that IANA has given out of IPv6 for the public; the rest is local, historic or translated to
# an IPv4 address that nobody here has judged (RFC 4291, RFC 8215).
PUBLIC_IPV6 = ipaddress.ip_network("2000::/3")
# RFC 6052: the last 32 bits of these are an IPv4 address.
NAT64 = ipaddress.ip_network("64:ff9b::/96")
USER_AGENT = "Stagedoor"


class HttpError(Exception):
    """Base of all; the text is for people and names the origin (scheme, host, port) only."""


class Blocked(HttpError):
    """The URL points where the portal may not connect; nothing was sent."""


class ConnectFailed(HttpError):
    """No connection (unknown host, refused, connect timeout, TLS): certainly nothing was sent."""


class AddressRefused(Exception):
    """The host resolves to addresses that the portal may not reach; `str()` names the host."""


class Egress:
    """Decides by the resolved address, never by how a URL writes it.

    `allow` holds host names, addresses and networks (CIDR) that are reachable although they are
    private or loopback. A host name in it permits whatever address the name resolves to.
    """

    def __init__(self, allow: Sequence[str]) -> None:
        self._hosts: set[str] = set()
        self._networks: list[Network] = []
        for item in allow:
            try:
                self._networks.append(ipaddress.ip_network(item, strict=False))
            except ValueError:
                self._hosts.add(_normal(item))

    def addresses(self, host: str, port: int) -> list[AddressInfo]:
        """Resolves once and keeps what may be reached. The caller connects to exactly these.

        Raises socket.gaierror when the name is not known, AddressRefused when nothing is left.
        """
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        if _normal(host) in self._hosts:
            return list(found)  # type: ignore[arg-type]
        allowed = [info for info in found if self._permits(str(info[4][0]))]
        if not allowed:
            raise AddressRefused(host)
        return allowed  # type: ignore[return-value]

    def _permits(self, text: str) -> bool:
        address = _embedded(ipaddress.ip_address(text.partition("%")[0]))
        if any(address in network for network in self._networks):
            return True
        if address.version == 6 and address not in PUBLIC_IPV6:
            return False
        return address.is_global and not address.is_multicast and address not in METADATA


def _normal(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()


def _embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 address only wraps, since it is the one that gets reached."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else address)


# --- Connections that go where the guard says ------------------------------------------------
class _Guarded:
    """Mixed into urllib3's connections. Whatever fails in connect() was certainly not sent."""

    egress: Egress
    deadline: float

    def _new_conn(self) -> socket.socket:
        conn = cast(HTTPConnection, self)
        host, port = conn._dns_host, conn.port
        error: OSError | None = None
        for family, kind, proto, _, address in self.egress.addresses(host, port):
            sock = socket.socket(family, kind, proto)
            try:
                sock.settimeout(cast(float, conn.timeout))
                for option in conn.socket_options or ():
                    sock.setsockopt(*option)
                sock.connect(address)
                return sock
            except OSError as failure:
                sock.close()
                error = failure
        raise error or OSError("no address")

    def connect(self) -> None:
        conn = cast(HTTPConnection, self)
        where = f"{conn.host}:{conn.port}"
        try:
            super().connect()  # type: ignore[misc]
        except AddressRefused:
            raise Blocked(
                f"{where} is a private or reserved address. An operator can permit it in "
                "OUTGOING_ALLOW."
            ) from None
        except socket.gaierror:
            raise ConnectFailed(f"{where}: the host name is not known.") from None
        except TimeoutError:
            raise ConnectFailed(f"{where}: no connection in time.") from None
        except ssl.SSLCertVerificationError as error:
            raise ConnectFailed(f"{where}: certificate refused, {error.verify_message}.") from None
        except (OSError, Urllib3Error) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise ConnectFailed(f"{where}: no connection, {reason}.") from None

    def getresponse(self) -> Any:
        """Bounds the headers: a read timeout alone starts anew with every byte that drips in."""
        sock = cast(HTTPConnection, self).sock
        watchdog = threading.Timer(self.deadline, _hang_up, [sock])
        watchdog.daemon = True
        watchdog.start()
        try:
            return super().getresponse()  # type: ignore[misc]
        finally:
            watchdog.cancel()


def _hang_up(sock: socket.socket) -> None:
    # Past SSLSocket's own shutdown(), which would pull the TLS state from under the reader.
    try:
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        return


class _Adapter(HTTPAdapter):
    """requests' adapter over pools whose connections ask the guard."""

    def __init__(self, egress: Egress, deadline: float) -> None:
        bounds = {"egress": egress, "deadline": deadline}
        plain = type("Plain", (_Guarded, HTTPConnection), bounds)
        secure = type("Secure", (_Guarded, HTTPSConnection), bounds)
        self._pools = {
            "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
        }
        super().__init__(pool_maxsize=20, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools


class _Session(requests.Session):
    """Never looks at a redirect itself: the library would read its body whole, without bounds."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


def guarded_session(egress: Egress, deadline: float, ca_bundle: str) -> requests.Session:
    """A requests session that connects through `egress`; it knows no cookie, proxy or netrc.

    `deadline`: seconds until the answer's headers must be there; the body is the caller's.
    """
    session = _Session()
    session.verify = ca_bundle or True
    session.trust_env = False  # no proxy, no netrc: both come from outside the portal's settings
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers["User-Agent"] = USER_AGENT
    session.adapters.clear()
    adapter = _Adapter(egress, deadline)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session
