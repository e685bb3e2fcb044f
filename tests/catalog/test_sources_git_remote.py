"""git goes to plain addresses of repositories and to nothing else, whoever named them."""

import pytest

from catalog.sources import SourceFailed, SourceSpec, reader_for


@pytest.fixture(autouse=True)
def data_folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path / "data"


def reader(target, **options):
    return reader_for(SourceSpec("git", target, "", options))


@pytest.mark.parametrize(
    "target",
    [
        "ext::sh -c id",
        "ext::x",
        "--upload-pack=id",
        "-oProxyCommand=id",
        "ssh://-oProxyCommand=id/x",
        "-u@host:x",
        "git@-oProxyCommand=x:y",
        "https://user:pass@host.example/x.git",
        "https://user@host.example/x.git",
        "ftp://host.example/x",
        "git://host.example/x",
        "https://host.example",
        "https://host.example:port/x",
        "https://host.example./x",
        "https://ⓛocalhost/x",
        "https://127%2e0.0.1/x",
        "host:-x",
        "fd::17",
        "shop",
        "",
    ],
)
def test_what_is_no_plain_address_of_a_repository_is_refused(target):
    with pytest.raises(SourceFailed, match="The target is not a git address"):
        reader(target)


@pytest.mark.parametrize("target", ["file:///etc", "file://host/x", "file:///{tree}/../x"])
def test_a_folder_has_to_lie_below_catalog_paths(tree, target):
    with pytest.raises(SourceFailed, match="outside the folders that may be read"):
        reader(target.format(tree=tree.folder))


@pytest.mark.parametrize(
    "target", ["https://127.0.0.1/x.git", "git@127.0.0.1:x.git", "http://169.254.169.254/x.git"]
)
def test_a_private_address_is_not_asked(settings, target):
    settings.OUTGOING_ALLOW = []
    with pytest.raises(SourceFailed, match="is a private or reserved address"):
        reader(target).roots()


@pytest.mark.parametrize("branch", ["-x", "a..b", "a b", "x.lock", "a~1", "refs/../x", "x\ny"])
def test_a_branch_name_that_git_would_take_for_more_is_refused(branch):
    with pytest.raises(SourceFailed, match="can't be the name of a branch"):
        reader("https://host.example/x.git", branch=branch)
