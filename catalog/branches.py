"""The newest commit of a branch, asked at this moment from the host that a source reads."""

from catalog.descriptors import ReadError
from catalog.models import Repository, Source
from catalog.sources import SourceFailed, SourceSpec, reader_for
from catalog.sources.base import NotThere, RemoteRepository
from catalog.sources.git import GitReader
from catalog.sources.github import GithubReader
from catalog.sources.host_reader import HostReader
from portal import credential_ages


class BranchUnknown(Exception):
    """Nobody can tell; the text is a sentence."""


def newest_commit(source: Source, repository: Repository | None, branch: str) -> str:
    """Its whole id. `repository`: which of the source's, where there are many. Raises
    BranchUnknown."""
    options = {**source.options, "branch": branch}
    spec = SourceSpec(source.kind, source.target, source.credential_ref, options)
    if source.credential_ref:
        credential_ages.note_use(source.credential_ref)
    try:
        reader = reader_for(spec)
        if isinstance(reader, GitReader):
            return reader.newest()
        if isinstance(reader, GithubReader) and repository is not None:
            # Else a tag of that name could be meant.
            return reader.head(_remote(repository), f"heads/{branch}")
        if isinstance(reader, HostReader) and repository is not None:
            return reader.head(_remote(repository), branch)
    except NotThere:
        raise BranchUnknown(f"There is no branch {branch}, or it can't be seen.") from None
    except (ReadError, SourceFailed) as failure:
        raise BranchUnknown(str(failure)) from None
    raise BranchUnknown(f"{source.name} can't tell the newest commit of {branch}.")


def _remote(row: Repository) -> RemoteRepository:
    return RemoteRepository(
        row.external_id, row.full_name, row.url, default_branch=row.default_branch
    )
