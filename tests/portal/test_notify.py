"""Mail goes to one address, whole and once, through a real SMTP server."""

import pytest

from portal.notify import NotSent, is_on, send_mail, usable
from tests.plugins.ports import free_port
from tests.smtp import smtp_server, use


@pytest.fixture
def box(settings):
    with smtp_server() as box:
        use(settings, box)
        yield box


def test_a_message_arrives_as_it_was_meant(box):
    send_mail("pay@shop.example", "Two  things\nBcc: eve@evil.example", "Grüße\n.\nend\x00")
    message = box.messages[0]
    assert message["Subject"] == "Two things Bcc: eve@evil.example"
    assert message["Bcc"] is None
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content().replace("\r\n", "\n").rstrip("\n") == "Grüße\n.\nend"
    assert box.envelopes == [["pay@shop.example"]]


@pytest.mark.parametrize(
    "address",
    [
        "",
        None,
        7,
        "nobody",
        "a@b.example, c@d.example",
        "A <a@b.example>",
        "a@b.example\nBcc: x@y.example",
        "a@b.example\r\n",
        "@x.example",
    ],
)
def test_an_address_that_is_no_address_gets_nothing(box, address):
    if address != "a@b.example\r\n":
        assert usable(address) == ""
    with pytest.raises(NotSent) as error:
        send_mail(address, "x", "y")
    assert error.value.final
    assert box.messages == []


@pytest.mark.parametrize(
    ("answer", "final"), [("550 No such user here", True), ("450 Later", False)]
)
def test_an_address_that_is_refused_says_so(box, answer, final):
    box.address_answer = answer
    with pytest.raises(NotSent, match=answer[:3]) as error:
        send_mail("pay@shop.example", "x", "y")
    assert error.value.final == final


def test_a_server_that_refuses_or_is_away_may_be_tried_again(box, settings):
    box.answer = "554 secret words of the server"
    with pytest.raises(NotSent, match="554") as error:
        send_mail("pay@shop.example", "x", "y")
    assert "secret" not in str(error.value)
    assert not error.value.final
    settings.EMAIL_PORT = free_port()
    with pytest.raises(NotSent, match="ConnectionRefusedError") as error:
        send_mail("pay@shop.example", "x", "y")
    assert not error.value.final


def test_without_a_server_nothing_is_tried(settings):
    settings.EMAIL_HOST = ""
    assert not is_on()
    with pytest.raises(NotSent, match="EMAIL_HOST"):
        send_mail("pay@shop.example", "x", "y")
