"""A server's client, its list of pipelines, and what its answers teach."""

import pytest

from pipelines.providers.errors import Misconfigured, ProviderError, Unavailable
from pipelines.servers import client_for, note_failure, note_success, pause_after
from tests.pipelines.world import make_server

pytestmark = pytest.mark.django_db


# --- client_for -------------------------------------------------------------------------------
def test_a_client_asks_its_server(acme):
    assert client_for(acme).check().who == "Stagedoor"


def test_an_unknown_provider_names_the_known_ones():
    with pytest.raises(Misconfigured, match=r"'cobol' is not known. Known are: .*jenkins"):
        client_for(make_server(provider="cobol"))


def test_a_credential_that_can_not_be_resolved_is_a_provider_error():
    with pytest.raises(Misconfigured, match="this environment variable is not set"):
        client_for(make_server())


@pytest.mark.parametrize("options", [None, [], "x"])
def test_options_that_are_no_object_count_as_none(acme, options):
    acme.options = options
    assert client_for(acme).check().who == "Stagedoor"


def test_options_of_the_wrong_kind_are_a_provider_error(acme):
    acme.options = {"organizations": 7}
    with pytest.raises(Misconfigured, match="organizations"):
        client_for(acme)


def test_a_private_address_that_is_not_allowed_is_refused(acme, settings, sandbox):
    settings.OUTGOING_ALLOW = []
    with pytest.raises(ProviderError):
        client_for(acme).check()
    assert sandbox.requests() == []


# --- What answers teach -----------------------------------------------------------------------
def test_success_is_written_only_when_it_is_news(django_assert_num_queries):
    server = make_server()
    note_failure(server, Unavailable("down"))
    note_success(server)
    server.refresh_from_db()
    assert (server.failures, server.last_error, server.not_before) == (0, "", None)
    with django_assert_num_queries(1):
        note_success(server)


def test_pauses_grow_to_a_limit():
    assert pause_after(0) < 7
    assert pause_after(3) > 30
    assert pause_after(99) <= 360
