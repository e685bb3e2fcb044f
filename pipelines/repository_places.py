"""Whether two addresses mean one repository, however each is written."""

from urllib.parse import urlsplit

from catalog.models import Repository


def is_at(repository: Repository, address: str) -> bool:
    """Whether a pipeline's address of a repository is that of this one."""
    host, path = place_of(address)
    there = (urlsplit(repository.url).hostname or "").lower()
    # A host below a path of its own, or Data Center's /scm/, comes before the name.
    return there == host and f"/{path}".endswith(f"/{repository.full_name.lower()}")


def place_of(address: str) -> tuple[str, str]:
    """Host and path of a clone or page address: git@host:a/b.git and https://host/a/b are one."""
    scheme, sign, rest = address.strip().lower().partition("://")
    if not sign:
        place, _, path = scheme.partition(":")
    else:
        place, _, path = rest.partition("/")
    host = place.rpartition("@")[2].partition(":")[0]
    return host, path.strip("/").removesuffix(".git")
