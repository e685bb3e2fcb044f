"""A real SMTP server on loopback that keeps what it is sent, and may refuse it."""

from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from aiosmtpd.controller import Controller

from tests.plugins.ports import free_port


class Mailbox:
    """What arrived. `answer`, where set, is given in place of taking a message or an address."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.envelopes: list[list[str]] = []
        self.answer = ""
        self.address_answer = ""
        self.port = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.address_answer:
            return self.address_answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.answer:
            return self.answer
        self.messages.append(message_from_bytes(envelope.content, policy=default))
        self.envelopes.append(envelope.rcpt_tos)
        return "250 OK"


@contextmanager
def smtp_server() -> Iterator[Mailbox]:
    box = Mailbox()
    box.port = free_port()
    controller = Controller(box, hostname="127.0.0.1", port=box.port)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


def use(settings, box: Mailbox) -> None:
    """Mail goes to this server, as an operator would set it up."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", box.port
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
