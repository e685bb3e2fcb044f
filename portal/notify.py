"""The one way out for messages to people. The first channel is e-mail, by Django's mail settings.

Without EMAIL_HOST nothing is sent, and nothing is tried.
"""

import smtplib

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import BadHeaderError, EmailMessage
from django.core.validators import validate_email

from portal.text import storable

MAX_SUBJECT = 150
MAX_TEXT = 100_000


class NotSent(Exception):
    """Nobody got the message; the text is a sentence. `final`: trying again is no use."""

    def __init__(self, sentence: str, *, final: bool) -> None:
        super().__init__(sentence)
        self.final = final


def is_on() -> bool:
    """Whether an operator has said through which server mail goes."""
    return bool(settings.EMAIL_HOST)


def usable(address: object) -> str:
    """The address if mail can be sent to it, else empty: one address, without a name or a trick."""
    if not isinstance(address, str) or not address.isprintable():
        return ""
    try:
        validate_email(address.strip())
    except ValidationError:
        return ""
    return address.strip()


def send_mail(address: str, subject: str, text: str) -> None:
    """One plain text message to one address. Raises NotSent."""
    if not is_on():
        raise NotSent("No mail server is set (EMAIL_HOST).", final=True)
    to = usable(address)
    if not to:
        raise NotSent("The address is none that mail can be sent to.", final=True)
    message = EmailMessage(
        subject=storable(" ".join(subject.split()), MAX_SUBJECT),
        body=storable(text, MAX_TEXT),
        to=[to],
        # So that no holiday answers come back (RFC 3834).
        headers={"Auto-Submitted": "auto-generated"},
    )
    try:
        message.send()
    except smtplib.SMTPRecipientsRefused as refused:
        code = next((code for code, _ in refused.recipients.values()), 0)
        raise NotSent(f"The mail server refused the address ({code}).", final=code >= 500) from None
    except smtplib.SMTPResponseException as refused:
        code = refused.smtp_code
        raise NotSent(f"The mail server refused the message ({code}).", final=False) from None
    except (smtplib.SMTPException, OSError) as error:
        # The class alone: the text may repeat what was sent.
        word = type(error).__name__
        raise NotSent(f"The mail server could not be used ({word}).", final=False) from None
    except (BadHeaderError, ValueError):
        raise NotSent("The message can't be written as a mail.", final=True) from None
