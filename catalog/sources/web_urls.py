"""What the address of a file or a repository means at the hosts that people use: pure text.

People copy the address of a page; a reader needs that of the raw file, a person that of the editor.
Known are GitHub (also Enterprise), GitLab, Bitbucket Cloud and Bitbucket Data Center. An own
server is recognised by the shape of the path, which no two of them share.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

GITHUB, GITLAB, BITBUCKET, BITBUCKET_DC = "github", "gitlab", "bitbucket", "bitbucket_dc"
# The hosts' own word for "the commit that the default branch points at".
HEAD = "HEAD"
# A page's address holds at most so much of a file that is still to be written.
MAX_DRAFT = 6000

_GITHUB_RAW = "raw.githubusercontent.com"
_BITBUCKET = "bitbucket.org"
_BITBUCKET_API = "api.bitbucket.org"
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_NAME = r"[^/]+"
# (flavour, the host must be one of the flavour's, path) in the order in which they are tried.
_FILES = [
    (
        BITBUCKET_DC,
        r"(?P<root>.*/(?:projects|users)/[^/]+/repos/[^/]+)/(?P<view>browse|raw)(?P<rest>/.*)?",
    ),
    (GITLAB, r"(?P<root>/.+?)/-/(?P<view>blob|raw|edit|tree|blame)/(?P<rest>.+)"),
    (BITBUCKET, rf"(?P<root>/{_NAME}/{_NAME})/(?P<view>src|raw)/(?P<rest>.+)"),
    (GITHUB, rf"(?P<root>/{_NAME}/{_NAME})/(?P<view>blob|raw|edit|tree|blame)/(?P<rest>.+)"),
]
_FILES_AT = [(flavour, re.compile(pattern)) for flavour, pattern in _FILES]
_DC_ROOT = re.compile(
    r"(?P<base>.*)/(?P<space>projects|users)/(?P<key>[^/]+)/repos/(?P<slug>[^/]+)"
)
_SCM = re.compile(r"(?P<base>.*)/scm/(?P<key>[^/]+)/(?P<slug>[^/]+?)(?:\.git)?")
_SCP = re.compile(r"(?:[^@/:]+@)?(?P<host>[^/:]+):(?P<path>[^/].*)")


@dataclass(frozen=True)
class Repository:
    """A repository at a host whose addresses are known. `root` is its page, without a "/"."""

    flavour: str
    root: str

    def page(self, ref: str, path: str) -> str:
        """The page that shows a file. An empty `ref` is the default branch, everywhere."""
        if self.flavour == BITBUCKET_DC:
            return f"{self.root}/browse/{_path(path)}{_at(ref)}"
        view = {GITHUB: "blob", GITLAB: "-/blob", BITBUCKET: "src"}[self.flavour]
        return f"{self.root}/{view}/{_path(ref or HEAD)}/{_path(path)}"

    def raw(self, ref: str, path: str) -> str:
        """What a program reads. Only on hosts of the same owner as `root`."""
        base, _, names = self._split()
        rest = f"{_path(ref or HEAD)}/{_path(path)}"
        if self.flavour == BITBUCKET_DC:
            return f"{self.root}/raw/{_path(path)}{_at(ref)}"
        if self.flavour == GITLAB:
            return f"{self.root}/-/raw/{rest}"
        if self.flavour == BITBUCKET:
            return f"https://{_BITBUCKET_API}/2.0/repositories/{names}/src/{rest}"
        if urlsplit(self.root).hostname == "github.com":
            return f"https://{_GITHUB_RAW}/{names}/{rest}"
        return f"{base}/raw/{names}/{rest}"

    def authorised(self, ref: str, path: str) -> str:
        """What a program with a token reads: some hosts take tokens at their API only."""
        base, _, names = self._split()
        query = urlencode({"ref": ref or HEAD})
        if self.flavour == GITLAB:
            project, file = quote(unquote(names), safe=""), quote(path, safe="")
            return f"{base}/api/v4/projects/{project}/repository/files/{file}/raw?{query}"
        if self.flavour == GITHUB and urlsplit(self.root).hostname != "github.com":
            return f"{base}/api/v3/repos/{names}/contents/{_path(path)}?{query}"
        return self.raw(ref, path)

    def edit(self, ref: str, path: str) -> str:
        """Where a person edits a file; "" where `ref` is no branch, which nobody can edit."""
        if _COMMIT.fullmatch(ref) or not ref:
            return ""
        if self.flavour == BITBUCKET_DC:
            return f"{self.root}/browse/{_path(path)}?{urlencode({'at': ref, 'mode': 'edit'})}"
        if self.flavour == BITBUCKET:
            return f"{self.page(ref, path)}?{urlencode({'mode': 'edit', 'at': ref})}"
        view = "edit" if self.flavour == GITHUB else "-/edit"
        return f"{self.root}/{view}/{_path(ref)}/{_path(path)}"

    def commit(self, commit: str) -> str:
        """The page of a commit, by its whole id."""
        if not _COMMIT.fullmatch(commit):
            return ""
        view = {GITHUB: "commit", GITLAB: "-/commit"}.get(self.flavour, "commits")
        return f"{self.root}/{view}/{commit}"

    def create(self, ref: str, path: str, text: str = "") -> str:
        """Where a person adds a file, filled in where the host can; "" where it has no such page.

        Without a branch there is nothing to add a file to.
        """
        if not ref or self.flavour == BITBUCKET_DC:
            return ""
        draft = text if len(quote(text)) <= MAX_DRAFT else ""
        if self.flavour == GITHUB:
            query = {"filename": path} | ({"value": draft} if draft else {})
            return f"{self.root}/new/{_path(ref)}?{urlencode(query, quote_via=quote)}"
        if self.flavour == GITLAB:
            query = {"file_name": path} | ({"content": draft} if draft else {})
            return f"{self.root}/-/new/{_path(ref)}?{urlencode(query, quote_via=quote)}"
        query = {"at": ref, "filename": path}
        return f"{self.root}/create-file/files/{_path(ref)}?{urlencode(query)}"

    @property
    def clone(self) -> str:
        """What git reads over https."""
        match = _DC_ROOT.fullmatch(self.root) if self.flavour == BITBUCKET_DC else None
        if not match:
            return f"{self.root}.git"
        mark = "~" if match["space"] == "users" else ""
        return f"{match['base']}/scm/{mark}{match['key'].lower()}/{match['slug']}.git"

    @property
    def name(self) -> str:
        """For example "acme/payments-api"."""
        match = _DC_ROOT.fullmatch(self.root)
        return f"{match['key']}/{match['slug']}" if match else unquote(self._split()[2])

    @property
    def key(self) -> str:
        """Equal for two addresses of one repository: hosts do not tell the case apart."""
        return self.root.partition("://")[2].lower()

    def _split(self) -> tuple[str, str, str]:
        scheme, _, rest = self.root.partition("://")
        host, slash, names = rest.partition("/")
        return f"{scheme}://{host}", slash, names


@dataclass(frozen=True)
class FileAddress:
    """An address inside a repository. `rest` is what stands behind the view: ref and path.

    `at` is the ref where the host writes it apart. `folder`: it may name a folder. `raw`: it is
    the file's own address already, not that of a page around it.
    """

    repository: Repository
    rest: str
    at: str | None = None
    folder: bool = False
    raw: bool = False

    def split(self, refs: Sequence[str] = ()) -> tuple[str, str]:
        """(ref, path). A branch may hold a "/": the longest of `refs`, known ones, that fits."""
        if self.at is not None:
            return _short(self.at), self.rest.strip("/")
        rest = self.rest.strip("/").removeprefix("refs/heads/")
        for ref in sorted(refs, key=len, reverse=True):
            if rest == ref or rest.startswith(f"{ref}/"):
                return ref, rest.removeprefix(ref).strip("/")
        ref, _, path = rest.partition("/")
        return ref, path


def parse_file(url: str) -> FileAddress | None:
    """The file or folder that a page's, an editor's or a raw address names; None: not known."""
    parts = _web(url)
    if parts is None:
        return None
    base, host, path = f"{parts[0]}://{parts[1]}", parts[2], unquote(parts[3])
    if {".", ".."} & set(path.split("/")):
        return None  # steps that a program takes lead out of the repository that it begins with
    if raw := _raw_host(host, path):
        return raw
    for flavour, pattern in _FILES_AT:
        match = pattern.fullmatch(path)
        if not match or (flavour == BITBUCKET) != (host == _BITBUCKET):
            continue
        # GitLab wrote its addresses like GitHub before 2020.
        older = flavour == GITHUB and _flavour(host) == GITLAB
        at = None
        if flavour == BITBUCKET_DC:
            at = (parse_qs(parts[4]).get("at") or [""])[0]
        view = match["view"]
        root = match["root"].lstrip("/")
        return FileAddress(
            Repository(GITLAB if older else flavour, f"{base}/{quote(root, safe='/~')}"),
            match["rest"] or "",
            at,
            folder=view in {"tree", "src", "browse"},
            raw=view == "raw",
        )
    return None


def parse_repository(url: str) -> Repository | None:
    """The repository that a page's or a clone address names; None: its host is not known."""
    scp = None if "://" in url else _SCP.fullmatch(url)
    if scp:
        return _cloned(scp["host"], f"/{scp['path']}")
    if file := parse_file(url):
        return file.repository
    parts = _web(url)
    if parts is None:
        ssh = urlsplit(url) if url.startswith("ssh://") else None
        return _cloned(ssh.hostname or "", ssh.path) if ssh else None
    scheme, netloc, host, path, _ = parts
    path = unquote(path).rstrip("/").removesuffix(".git")
    base = f"{scheme}://{netloc}"
    if match := _SCM.fullmatch(path):
        return _data_center(base + match["base"], match["key"], match["slug"])
    if match := _DC_ROOT.match(path):
        return Repository(BITBUCKET_DC, base + quote(match.group(), safe="/~"))
    return _of_names(_flavour(host), base, path)


def same_repository(one: str, other: str) -> bool | None:
    """Whether two addresses of files lie in one repository; None where a host is not known."""
    first, second = parse_file(one), parse_file(other)
    if first is None and second is None:
        return None
    return bool(first and second and first.repository.key == second.repository.key)


def _web(url: str) -> tuple[str, str, str, str, str] | None:
    """(scheme, host and port, host, path, query) of a plain http(s) address."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1)
    except ValueError:
        return None
    if not usable or "@" in parts.netloc:
        return None
    host = (parts.hostname or "").removeprefix("www.")
    netloc = parts.netloc.lower().removeprefix("www.")
    return parts.scheme, netloc, host, parts.path, parts.query


def _flavour(host: str) -> str:
    """The host's software, where its name tells."""
    words = host.lower().split(".")
    if host == _BITBUCKET:
        return BITBUCKET
    for word, flavour in (("github", GITHUB), ("gitlab", GITLAB), ("bitbucket", BITBUCKET_DC)):
        if word in words:
            return flavour
    return ""


def _raw_host(host: str, path: str) -> FileAddress | None:
    """Addresses of raw files that do not begin with the repository's own."""
    names = path.strip("/").split("/")
    if host == _GITHUB_RAW and len(names) > 3:
        root = "https://github.com/" + quote("/".join(names[:2]))
        return FileAddress(Repository(GITHUB, root), "/".join(names[2:]), raw=True)
    if host == _BITBUCKET_API and names[:2] == ["2.0", "repositories"] and names[4:5] == ["src"]:
        root = f"https://{_BITBUCKET}/" + quote("/".join(names[2:4]))
        return FileAddress(Repository(BITBUCKET, root), "/".join(names[5:]), raw=True)
    return None


def _cloned(host: str, path: str) -> Repository | None:
    """The repository of an ssh address; its pages are taken to be at https on the same host."""
    path = path.rstrip("/").removesuffix(".git")
    flavour = _flavour(host)
    if flavour == BITBUCKET_DC:
        key, _, slug = path.strip("/").partition("/")
        return _data_center(f"https://{host}", key, slug) if slug and "/" not in slug else None
    return _of_names(flavour, f"https://{host}", path)


def _of_names(flavour: str, base: str, path: str) -> Repository | None:
    """The repository whose page is directly below the host: /owner/name, /group/…/name."""
    names = path.strip("/").split("/")
    enough = len(names) >= 2 and all(names)
    if flavour == GITLAB:
        names = path.partition("/-/")[0].strip("/").split("/")
    elif flavour in {GITHUB, BITBUCKET}:
        names = names[:2]
    else:
        return None
    return Repository(flavour, f"{base}/{quote('/'.join(names))}") if enough else None


def _data_center(base: str, key: str, slug: str) -> Repository:
    space, name = ("users", key[1:]) if key.startswith("~") else ("projects", key.upper())
    return Repository(BITBUCKET_DC, f"{base}/{space}/{quote(name)}/repos/{quote(slug)}")


def _path(path: str) -> str:
    return quote(path.strip("/"))


def _at(ref: str) -> str:
    return f"?{urlencode({'at': ref})}" if ref else ""


def _short(ref: str) -> str:
    return ref.removeprefix("refs/heads/")
