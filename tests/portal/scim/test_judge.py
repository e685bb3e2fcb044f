"""The service as scim2-tester judges it, through WSGI from end to end."""

import pytest
from django.core.wsgi import get_wsgi_application
from scim2_client.engines.wsgi import WSGISCIMClient
from scim2_tester import Status, check_server

from tests.portal.scim.directory import TOKEN

pytestmark = pytest.mark.django_db(transaction=True)
# Whether somebody is active is always known: who is not said to have left has not.
KNOWN = {"PATCH modify() did not remove attribute 'active'"}


def test_the_judge_finds_no_fault(settings):
    settings.SCIM_TOKEN = TOKEN
    settings.SCIM_SUBJECT = "userName"  # it adds people without an externalId
    client = WSGISCIMClient(
        get_wsgi_application(),
        base_url="http://testserver/scim/v2",
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    results = check_server(client)
    faults = [r for r in results if r.status in {Status.ERROR, Status.CRITICAL}]
    assert {str(fault.reason) for fault in faults} == KNOWN
    assert sum(r.status == Status.SUCCESS for r in results) > 50
