"""A reader of the GitHub stand-in, and what tests ask of one."""

from contextlib import contextmanager

from catalog.descriptors import ReadError
from catalog.sources import Gone, SourceSpec
from catalog.sources.github import GithubReader
from portal.credentials import Secret
from portal.http import HttpClient
from tests.catalog.hosts.github import APP_ID, PRIVATE


def reader(host, credential=None, *, known=(), only=None, **options):
    client = HttpClient(allow=["127.0.0.1"], timeout=(2, 5), deadline=10)
    spec = SourceSpec("github", host.target, "", options, tuple(known), only)
    return GithubReader(spec, client, Secret(credential or host.token))


def app_reader(host, key=PRIVATE, **options):
    return reader(host, key, app_id=APP_ID, **options)


def read_all(reader):
    """{location: bytes or the sentence}."""
    found = {}
    for location in reader.roots().locations:
        try:
            found[location] = reader.read(location)
        except Gone:
            continue
        except ReadError as error:
            found[location] = str(error)
    return found


def read_on(reader, locations):
    for location in locations:
        reader.read(location)


@contextmanager
def counted(host):
    """How many requests are made within."""
    before, made = len(host.asked), []
    yield made
    made.extend(question.path.removeprefix("/api/v3") for question in host.asked[before:])
