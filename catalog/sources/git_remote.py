"""Where a git repository is, and with which settings git may go there: nothing but these.

Whoever may name a repository must not reach more than a repository. So only https, http, ssh and
folders below CATALOG_PATHS are spoken; the host's address is judged as for any other request and
git is pinned to it (http.curloptResolve, git 2.37; ssh's HostName), so that a second answer of the
name server leads nowhere else. An older git resolves the name again: there, a name server of an
attacker could lead it to a private address between the two answers.

The credential is in the environment of git's process only: never in an argument, a file or a text.
"""

import base64
import shlex
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from catalog.sources.base import SourceFailed
from catalog.sources.web_urls import BITBUCKET, GITHUB, GITLAB, Repository, parse_repository
from portal.credentials import Secret
from portal.egress import AddressRefused, Egress

PORTS = {"https": 443, "http": 80, "ssh": 22}
# Who a token is at each host, where none is named. A Data Center's goes in a header of its own.
TOKEN_USERS = {GITHUB: "x-access-token", GITLAB: "oauth2", BITBUCKET: "x-token-auth"}
_USAGE = (
    "The target is not a git address: write https://host/…, ssh://git@host/…, git@host:… or "
    "file:///… below CATALOG_PATHS, without a password."
)
# Seconds without 1,000 bytes each, after which git gives up.
STALLED = 30
CONNECT_SECONDS = 15


@dataclass(frozen=True)
class Remote:
    """A repository's address, as git gets it. `repository`: its pages, where they are known."""

    url: str
    scheme: str
    host: str = ""
    port: int = 0
    repository: Repository | None = None

    @property
    def label(self) -> str:
        """What a sentence may show of it: the host, never the path."""
        return self.host or "The folder"

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


def parse_remote(target: str, allowed: Sequence[Path]) -> Remote:
    """The repository that a source's target names. Raises SourceFailed with what to mend."""
    if target.startswith("-") or not target.isprintable() or " " in target:
        raise SourceFailed(_USAGE)
    if "://" not in target:
        return _scp(target)
    try:
        parts = urlsplit(target)
        port, host = parts.port or PORTS.get(parts.scheme, 0), parts.hostname or ""
    except ValueError:
        raise SourceFailed(_USAGE) from None
    if parts.scheme == "file":
        return _folder(unquote(parts.path), parts.netloc, allowed)
    web = parts.scheme in {"http", "https"}
    if parts.scheme not in PORTS or parts.password is not None or (web and "@" in parts.netloc):
        raise SourceFailed(_USAGE)
    if not _plain_host(host) or (parts.username or "").startswith("-") or len(parts.path) < 2:
        raise SourceFailed(_USAGE)
    repository = parse_repository(target)
    url = target.split("#", maxsplit=1)[0]
    if web and repository and urlsplit(repository.clone).hostname == host:
        url = repository.clone
    return Remote(url, parts.scheme, host, port, repository)


def _scp(target: str) -> Remote:
    """git@host:path, as hosts print it."""
    login, colon, path = target.partition(":")
    user, _, host = login.rpartition("@")
    if not colon or path.startswith((":", "-")) or not path or user.startswith("-"):
        raise SourceFailed(_USAGE)
    if not _plain_host(host) or "/" in login or ":" in user:
        raise SourceFailed(_USAGE)
    return Remote(target, "ssh", host, PORTS["ssh"], parse_repository(target))


def _folder(path: str, host: str, allowed: Sequence[Path]) -> Remote:
    """A repository on this machine's disk, links followed, below one of the folders."""
    try:
        real = Path(path).resolve()
    except (OSError, ValueError, RuntimeError):
        raise SourceFailed("The target is not a path that can be followed.") from None
    if host or not any(real.is_relative_to(folder.resolve()) for folder in allowed):
        raise SourceFailed(
            "The target lies outside the folders that may be read. An operator can add its folder "
            "to CATALOG_PATHS."
        )
    return Remote(real.as_uri(), "file")


def _plain_host(host: str) -> bool:
    """Whether ssh and curl take it for the very name that the guard judges, and for no option."""
    usual = host.isascii() and all(c.isalnum() or c in ".-:_" for c in host)
    return bool(host) and usual and not host.startswith(("-", ".")) and not host.endswith(".")


def settings_of(
    remote: Remote, egress: Egress, credential: Secret | None, user: str, ca_bundle: str
) -> list[tuple[str, str]]:
    """git's settings for this remote, to stand in the environment. Raises SourceFailed."""
    found = [
        ("core.hooksPath", "/dev/null"),
        ("core.askPass", ""),
        ("credential.helper", ""),
        ("protocol.version", "2"),
        ("gc.auto", "0"),
        ("maintenance.auto", "false"),
        ("fetch.recurseSubmodules", "false"),
        ("transfer.bundleURI", "false"),
    ]
    if remote.scheme not in {"http", "https"}:
        return found
    addresses = ",".join(_bracketed(address) for address in reachable(remote, egress))
    found += [
        ("http.followRedirects", "false"),
        ("http.curloptResolve", f"{remote.host}:{remote.port}:{addresses}"),
        ("http.lowSpeedLimit", "1000"),
        ("http.lowSpeedTime", str(STALLED)),
    ]
    if ca_bundle:
        found.append(("http.sslCAInfo", ca_bundle))
    if credential is not None:
        header = f"Authorization: {_authorization(remote, credential, user)}"
        found.append((f"http.{remote.origin}/.extraHeader", header))
    return found


def ssh_command(remote: Remote, egress: Egress, key_file: str, known_hosts: Path) -> str:
    """What git runs for ssh: no settings of a person, no question, no other identity."""
    options = {
        "HostName": reachable(remote, egress)[0],
        "HostKeyAlias": remote.host,
        "BatchMode": "yes",
        "IdentityFile": key_file or "none",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        # The first key that a host shows is remembered; another one later is refused.
        "StrictHostKeyChecking": "accept-new",
        "UserKnownHostsFile": str(known_hosts),
        "GlobalKnownHostsFile": "/dev/null",
        "ConnectTimeout": str(CONNECT_SECONDS),
        "ServerAliveInterval": str(STALLED),
        "ClearAllForwardings": "yes",
    }
    words = ["ssh", "-F", "/dev/null"]
    words += [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return shlex.join(words)


def reachable(remote: Remote, egress: Egress) -> list[str]:
    """The addresses that git may connect to. Raises SourceFailed."""
    try:
        found = egress.addresses(remote.host, remote.port)
    except socket.gaierror:
        raise SourceFailed(f"{remote.host}: the host name is not known.") from None
    except (AddressRefused, ValueError):
        raise SourceFailed(
            f"{remote.host} is a private or reserved address. An operator can permit it in "
            "OUTGOING_ALLOW."
        ) from None
    return list(dict.fromkeys(str(info[4][0]) for info in found))


def environment(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The settings as git reads them from its environment."""
    settings = list(pairs)
    found = {"GIT_CONFIG_COUNT": str(len(settings))}
    for index, (key, value) in enumerate(settings):
        found[f"GIT_CONFIG_KEY_{index}"], found[f"GIT_CONFIG_VALUE_{index}"] = key, value
    return found


def _authorization(remote: Remote, credential: Secret, user: str) -> str:
    value = credential.reveal()
    if not value.isprintable():
        raise SourceFailed("The credential is not one line of text, so it can't be sent.")
    flavour = remote.repository.flavour if remote.repository else ""
    if not user and ":" not in value and flavour not in TOKEN_USERS:
        return f"Bearer {value}"
    if user or ":" not in value:
        value = f"{user or TOKEN_USERS[flavour]}:{value}"
    return "Basic " + base64.b64encode(value.encode()).decode()


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
