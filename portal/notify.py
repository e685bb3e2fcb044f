"""The one way out for messages to people: e-mail by Django's mail settings, and a Slack channel.

Without EMAIL_HOST no mail is sent, without SLACK_WEBHOOK nothing goes to Slack, and nothing is
tried.
"""

import smtplib

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import BadHeaderError, EmailMessage
from django.core.validators import validate_email

from portal.http import HttpClient, HttpError
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


def slack_is_on() -> bool:
    """Whether an operator has given an incoming webhook."""
    return bool(settings.SLACK_WEBHOOK)


def post_slack(text: str) -> None:
    """One message to the webhook's channel; the webhook's address is a secret. Raises NotSent."""
    if not slack_is_on():
        raise NotSent("No Slack webhook is set (SLACK_WEBHOOK).", final=True)
    client = HttpClient(
        allow=settings.OUTGOING_ALLOW, deadline=20, ca_bundle=settings.OUTGOING_CA_BUNDLE
    )
    # Else names could hold links and calls to everybody in the channel.
    plain = storable(text, MAX_TEXT).translate({38: "&amp;", 60: "&lt;", 62: "&gt;"})
    body = {"text": plain, "unfurl_links": False}
    try:
        answer = client.request("POST", settings.SLACK_WEBHOOK, json=body, max_bytes=2000)
    except HttpError as error:
        word = type(error).__name__
        raise NotSent(f"Slack could not be reached ({word}).", final=False) from None
    if answer.status != 200:
        lasting = 400 <= answer.status < 500 and answer.status != 429
        raise NotSent(f"Slack refused the message ({answer.status}).", final=lasting)
