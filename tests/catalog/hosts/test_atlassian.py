"""atlassian-python-api, which knows nothing of the stand-ins, uses them as the real hosts."""

import pytest
from atlassian.bitbucket import Bitbucket, Cloud
from requests import HTTPError

from tests.catalog.hosts.bitbucket import BitbucketHost
from tests.catalog.hosts.bitbucket_dc import DataCenter
from tests.catalog.hosts.forge import Pull

FILE = "catalog-info.yaml"


def test_bitbucket_cloud_is_read_by_its_own_library():
    with BitbucketHost().running() as host:
        repo = host.add("acme/pay", {FILE: "x"}, description="Takes payments")
        host.push(repo, {FILE: "y"}, branch="feature/x")
        found = Cloud(host.url, token=host.token).repositories.get("acme", "pay")
        assert (found.uuid, found.description) == (repo.id, "Takes payments")
        branches = {branch.name: branch.hash for branch in found.branches.each()}
        assert branches == repo.heads
        with pytest.raises(HTTPError, match="Token is invalid"):
            Cloud(host.url, token="wrong").repositories.get("acme", "pay")


def test_a_data_center_is_read_by_its_own_library():
    with DataCenter().running() as host:
        files = {f"parts/{number}.yaml": "x" for number in range(60)}
        repo = host.add("PAY/api", {FILE: "text", **files}, main="develop")
        repo.pulls = [Pull(number, f"Change {number}") for number in range(1, 41)]
        for number in range(40):
            host.add(f"PAY/other-{number}")
        client = Bitbucket(host.base, token=host.token)
        assert len(list(client.repo_list("PAY"))) == 41
        assert client.get_repo("PAY", "api")["id"] == int(repo.id)
        assert client.get_content_of_file("PAY", "api", FILE, at=repo.heads["develop"]) == b"text"
        at = repo.heads["develop"]
        assert len(list(client.get_file_list("PAY", "api", query=at, limit=50))) == 61
        assert len(list(client.get_pull_requests("PAY", "api"))) == 40
        (commit,) = list(client.get_commits("PAY", "api", limit=1))
        assert commit["id"] == repo.heads["develop"]
        with pytest.raises(HTTPError, match="does not exist"):
            client.get_repo("PAY", "nothing")
