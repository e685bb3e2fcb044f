"""A git repository is read with real git, whatever stands in it and whatever its host does."""

import base64
import os
import subprocess
from pathlib import Path

import pytest

from catalog.descriptors import ReadError, parse
from catalog.models import Entity
from catalog.sources import Gone, SourceFailed, SourceSpec, reader_for
from catalog.sources.base import MAX_FILE_BYTES, HostStops
from catalog.sources.git_session import _key_file
from portal.credentials import Secret
from tests.catalog.gitserver import Repo, git, git_server
from tests.catalog.trees import component, location, problems, read, states

FILE = "catalog-info.yaml"
TOKEN = "t0ken-of-the-robot"
REFERENCE = "env:STAGEDOOR_CREDENTIAL_GIT"


@pytest.fixture(autouse=True)
def ground(settings, tmp_path, monkeypatch):
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    settings.DATA_DIR = tmp_path / "data"
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_GIT", TOKEN)


@pytest.fixture
def repo(tree):
    return Repo(tree.folder / "shop.git")


@pytest.fixture
def host(tree):
    with git_server(tree.folder) as server:
        yield server


def reader(target, credential="", **options):
    return reader_for(SourceSpec("git", target, credential, options))


def text(target, credential="", **options):
    opened = reader(target, credential, **options)
    return opened.read(opened.roots().locations[0])


# --- What is read ----------------------------------------------------------------------------
@pytest.mark.parametrize("over", ["file", "http"])
def test_a_repository_is_read_at_its_newest_commit(repo, host, over):
    url = repo.url if over == "file" else f"{host.url}/shop.git"
    repo.commit({FILE: "old", "org/a.yaml": "a", "org/b.yaml": "b"})
    assert text(url) == b"old"
    commit = repo.commit({FILE: "new", "org/a.yaml": "a", "README.md": "hello"})
    opened = reader(url)
    assert opened.roots().locations == [FILE]
    assert opened.read(FILE) == b"new"
    assert opened.targets(FILE, "org/*.yaml") == ["org/a.yaml"]
    assert (opened.place(FILE).commit, opened.read("README.md")) == (commit, b"hello")
    with pytest.raises(Gone, match=r"There is no file org/b\.yaml"):
        opened.read("org/b.yaml")


def test_the_version_is_that_of_the_contents_so_other_files_do_not_matter(repo):
    repo.commit({FILE: "same", "other": "1"})
    first, then = reader(repo.url), reader(repo.url)
    first.roots()
    repo.commit({FILE: "same", "other": "2"})
    then.roots()
    assert first.place(FILE).version == then.place(FILE).version != ""
    assert first.place(FILE).commit != then.place(FILE).commit
    assert then.place("nope.yaml").version == ""


def test_an_unchanged_repository_costs_one_question(repo, host):
    repo.commit({FILE: "x"})
    url = f"{host.url}/shop.git"
    text(url)
    again = reader(url)
    again.roots()
    assert again.read(FILE) == b"x"
    assert again.usage.requests == 1


def test_files_are_fetched_together_and_only_those_that_are_named(repo, host):
    files = {f"services/{n}/{FILE}": f"kind: X{n}" for n in range(50)}
    files |= {f"services/{n}/openapi.yaml": f"openapi: {n}" for n in range(50)}
    repo.commit({**files, "big.bin": os.urandom(400_000)})
    opened = reader(f"{host.url}/shop.git", path=f"services/*/{FILE}")
    found = opened.roots().locations
    assert [opened.read(path) for path in found] == [files[path].encode() for path in found]
    for n in range(50):
        assert opened.read(f"services/{n}/openapi.yaml") == f"openapi: {n}".encode()
    # Which commit; its listing; the descriptors; and with the first definition all that are alike.
    assert opened.usage.requests == 4
    packs = list((opened._session.store.folder / "objects" / "pack").glob("*.pack"))
    assert sum(pack.stat().st_size for pack in packs) < 100_000


def test_a_branch_and_a_path_can_be_named(repo):
    repo.commit({"x": "y"})
    repo.commit({"docs/entity.yaml": "z"}, branch="release/1.x", parent=False)
    assert text(repo.url, branch="release/1.x", path=["docs/*.yaml"]) == b"z"


def test_the_address_of_a_page_becomes_that_of_the_repository():
    opened = reader("https://github.com/acme/shop/tree/main")
    assert opened._remote.url == "https://github.com/acme/shop.git"
    assert opened._remote.repository.root == "https://github.com/acme/shop"


# --- Odd repositories ------------------------------------------------------------------------
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 3\n"
ODD = {
    "a/catalog-info.yaml": "kind: X\r\nname: y\r\n",
    "b/catalog-info.yaml": b"\xef\xbb\xbfkind: X\n",
    "c/catalog-info.yaml": POINTER,
    "d/catalog-info.yaml": ("120000", "../a/catalog-info.yaml"),
    "e/catalog-info.yaml": ("120000", "../../../etc/passwd"),
    "f/catalog-info.yaml": ("120000", "catalog-info.yaml"),
    "g": ("160000", "1" * 40),
    "h/catalog-info.yaml": "x" * (MAX_FILE_BYTES + 1),
    "i/catalog-info.yaml": b"kind: X\nname: caf\xe9\n",
    "caf\udce9/catalog-info.yaml": "x",
    "loop": ("120000", "."),
}


def test_what_is_odd_in_a_repository_is_a_sentence_each_and_the_rest_is_read(repo):
    repo.commit(ODD)
    opened = reader(repo.url, path="*/catalog-info.yaml")
    listing = opened.roots()
    assert listing.locations == [f"{name}/{FILE}" for name in "abchi"]
    assert listing.problems == [(f"caf?/{FILE}", "Its name is not valid UTF-8.")]
    assert opened.read(f"a/{FILE}") == b"kind: X\r\nname: y\r\n"
    sentences = {}
    for path in [
        *listing.locations,
        f"e/{FILE}",
        f"f/{FILE}",
        "g/x.yaml",
        "g",
        f"loop/loop/a/{FILE}",
    ]:
        try:
            opened.read(path)
        except ReadError as refused:
            sentences[path] = str(refused)
    assert sentences == {
        f"c/{FILE}": f"c/{FILE} is a Git LFS pointer, not the file: commit it without Git LFS.",
        f"e/{FILE}": f"e/{FILE} is a link that leads outside the repository.",
        f"f/{FILE}": f"f/{FILE} is a link that leads in circles.",
        "g/x.yaml": "g is a submodule: a repository of its own.",
        "g": "g is a submodule: a repository of its own.",
        f"h/{FILE}": f"h/{FILE} is larger than 5,000,000 bytes.",
    }
    [latin1] = parse(opened.read(f"i/{FILE}"))
    assert (latin1.problems[0].line, latin1.valid) == (2, False)
    assert "save the file as UTF-8" in latin1.problems[0].message
    assert reader(repo.url, path=f"d/{FILE}").roots().locations == [f"a/{FILE}"]


@pytest.mark.django_db
def test_ten_thousand_files_are_read(repo, tree):
    files = {f"s{n}/{FILE}": component(f"s{n}") if n % 10 == 0 else "" for n in range(10_000)}
    repo.commit(files)
    source = tree.source(kind="git", slug="many")
    source.target, source.options = repo.url, {"path": ["**/catalog-info.yaml"]}
    source.save()
    run = read(source)
    assert (run.state, run.files, run.added) == ("succeeded", 10_000, 1_000)


@pytest.mark.django_db
def test_locations_are_followed_and_a_sync_that_loses_its_way_keeps_the_good(repo, tree):
    root = location("all", targets=["./org/*.yaml", "../out.yaml"])
    repo.commit({FILE: [root, component("own")], "org/a.yaml": component("a")})
    source = tree.source(kind="git", slug="shop")
    source.target = repo.url
    source.save()
    read(source)
    assert set(states()) == {"own", "a"}
    assert problems(source) == ['"../out.yaml" leads outside the repository.']
    assert Entity.objects.get(name="a").location == "org/a.yaml"
    repo.git("branch", "-m", "main", "trunk")  # HEAD follows: the default branch is another now
    assert read(source).state == "succeeded"
    repo.git("symbolic-ref", "HEAD", "refs/heads/nowhere")
    for expected in ("is empty: its default branch has no commit yet", "no such repository"):
        assert read(source).state == "failed"
        assert expected in source.last_error
        assert set(states().values()) == {"active"}
        repo.folder.rename(repo.folder.with_name("gone.git")) if repo.folder.exists() else None


# --- What the host does ----------------------------------------------------------------------
def test_a_force_push_is_just_the_newest_commit(repo, host):
    url = f"{host.url}/shop.git"
    repo.commit({FILE: "one"})
    assert text(url) == b"one"
    repo.commit({FILE: "two"}, parent=False)
    assert text(url) == b"two"


def test_a_branch_that_is_gone_is_said_with_what_there_is(repo):
    repo.commit({FILE: "x"})
    with pytest.raises(SourceFailed) as refused:
        reader(repo.url, branch="master").roots()
    assert str(refused.value) == (
        'The repository has no branch "master" (any more). Its default branch is "main". '
        "Change the source's branch."
    )


def test_an_empty_repository_and_one_without_descriptor_are_said_in_words(repo):
    with pytest.raises(SourceFailed, match="is empty"):
        reader(repo.url).roots()
    with pytest.raises(SourceFailed, match='is empty, or has no branch "dev"'):
        reader(repo.url, branch="dev").roots()
    repo.commit({"README.md": "x"})
    with pytest.raises(SourceFailed, match=r"holds no catalog-info\.yaml or catalog-info\.yml"):
        reader(repo.url).roots()


@pytest.mark.parametrize(
    ("status", "headers", "sentence"),
    [
        (404, {}, "127.0.0.1 has no such repository, or hides it from this credential."),
        (403, {}, r"127.0.0.1 refused access \(403\)"),
        (429, {"Retry-After": "60"}, r"takes no more requests for now \(429\)"),
        (503, {}, "127.0.0.1 answered 503"),
        (301, {"Location": "http://127.0.0.1:1/elsewhere"}, "the repository was renamed or moved"),
    ],
)
def test_a_host_that_refuses_is_told_in_its_words(repo, host, status, headers, sentence):
    host.status, host.headers = status, headers
    with pytest.raises(SourceFailed, match=sentence):
        reader(f"{host.url}/shop.git").roots()


def test_a_host_that_is_not_there_is_a_sentence():
    with pytest.raises(SourceFailed, match=r"127\.0\.0\.1: no connection"):
        reader("http://127.0.0.1:9/shop.git").roots()


# --- Credentials -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("user", "sent"),
    [
        ("robot", b"Basic " + base64.b64encode(f"robot:{TOKEN}".encode())),
        ("", f"Bearer {TOKEN}".encode()),
    ],
)
def test_the_credential_is_sent_to_the_host_and_stands_nowhere_else(
    repo, host, settings, user, sent
):
    repo.commit({FILE: "x"})
    url = f"{host.url}/shop.git"
    assert text(url, credential=REFERENCE, username=user) == b"x"
    assert {authorization for _, _, authorization in host.asked} == {sent.decode()}
    for path in settings.DATA_DIR.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes()


def test_a_wrong_credential_is_refused_without_a_question(repo, host):
    repo.commit({FILE: "x"})
    host.credential = "robot:right"
    for credential in ("", REFERENCE):
        with pytest.raises(SourceFailed, match="refused access: the repository is priv") as refused:
            reader(f"{host.url}/shop.git", credential).roots()
        assert TOKEN not in str(refused.value)


def test_a_token_that_is_revoked_midway_ends_the_reading_and_keeps_what_was_read(repo, host):
    repo.commit({FILE: "x", "far.txt": "y"})
    opened = reader(f"{host.url}/shop.git", REFERENCE)
    opened.roots()
    assert opened.read(FILE) == b"x"
    host.refuse_after(0, 401)
    with pytest.raises(HostStops, match="refused access"):
        opened.read("far.txt")


@pytest.mark.django_db
def test_what_a_revoked_token_hides_stays_in_the_catalog(repo, host, tree):
    files = {f"{n}/{FILE}": component(f"c{n}") for n in range(3)}
    repo.commit(files)
    source = tree.source(kind="git", slug="shop", credential_ref=REFERENCE)
    source.target, source.options = f"{host.url}/shop.git", {"path": [f"*/{FILE}"]}
    source.save()
    read(source)
    # c0 is gone, and what it was replaced by can't be fetched any more.
    repo.commit({**files, f"0/{FILE}": component("new")})
    host.refuse_after(5, 401)
    read(source)
    assert states() == {"c0": "active", "c1": "active", "c2": "active"}
    [sentence] = problems(source) or [source.last_error]
    assert "refused access" in sentence
    host.last = None
    read(source)
    assert states() == {"c0": "missing", "c1": "active", "c2": "active", "new": "active"}


def test_an_ssh_key_is_a_name_that_only_ssh_can_open(tmp_path):
    made = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", made], check=True)
    with _key_file(Secret(made.read_text().strip())) as name:
        public = subprocess.run(["ssh-keygen", "-y", "-f", name], check=True, capture_output=True)
    assert public.stdout.split()[:2] == (tmp_path / "key.pub").read_bytes().split()[:2]
    assert not Path(name).exists()


# --- This machine -----------------------------------------------------------------------------
def test_git_connects_to_the_address_that_was_judged(repo, host, settings, monkeypatch):
    """A name that leads elsewhere when it is asked again must lead nowhere else."""
    repo.commit({FILE: "x"})
    port = host.url.rpartition(":")[2]
    found = [(2, 1, 6, "", ("127.0.0.1", int(port)))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *args, **more: found)
    assert text(f"http://rebinding.example:{port}/shop.git") == b"x"


def test_no_git_on_this_machine_is_an_honest_sentence(repo, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SourceFailed, match="There is no git on the machine"):
        reader(repo.url).roots()


# --- The cache -------------------------------------------------------------------------------
def test_a_broken_cache_is_made_anew(repo):
    repo.commit({FILE: "one"})
    opened = reader(repo.url)
    opened.roots()
    folder = opened._session.store.folder
    del opened
    for pack in (folder / "objects" / "pack").iterdir():
        pack.chmod(0o600)
        pack.write_bytes(b"torn")
    (folder / "shallow.lock").touch()
    repo.commit({FILE: "two"})
    assert text(repo.url) == b"two"


def test_nothing_of_the_machines_or_the_repositorys_settings_takes_part(
    repo, tmp_path, monkeypatch
):
    """A person's configuration, hooks and attributes would else run commands in the portal."""
    mark = tmp_path / "ran"
    config = tmp_path / "gitconfig"
    config.write_text(
        f'[core]\n\tsshCommand = touch {mark}\n[credential]\n\thelper = "!touch {mark}"\n'
        f'[url "ext::touch {mark}"]\n\tinsteadOf = file://\n'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_ASKPASS", f"touch {mark}")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    repo.commit({FILE: "x", ".gitattributes": "* filter=evil"})
    assert text(repo.url) == b"x"
    assert not mark.exists()


def test_a_small_repository_that_lists_files_without_end_takes_no_memory(repo):
    """A tree of ten that are the same tree of ten: ten thousand million files in two kilobytes."""
    repo.commit({FILE: "x"})
    blob = git(repo.folder, "rev-parse", f"main:{FILE}").strip()
    kind, below, mode = "blob", blob, "100644"
    for _ in range(10):
        lines = "".join(f"{mode} {kind} {below}\tf{number}\n" for number in range(10))
        tree = git(repo.folder, "mktree", stdin=lines.encode()).strip()
        kind, below, mode = "tree", tree, "040000"
    commit = git(repo.folder, "commit-tree", "-m", "bomb", tree).strip()
    git(repo.folder, "update-ref", "refs/heads/main", commit)
    with pytest.raises(SourceFailed, match="too large"):
        reader(repo.url).roots()
