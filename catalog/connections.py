"""Asks a source's host who we are there, for an administrator who has just saved the source."""

import logging
from collections.abc import Iterator

from django.contrib import messages

from catalog.models import Source
from catalog.sources import SourceFailed, SourceSpec, reader_for
from catalog.sources.connection import Connection
from catalog.sources.connection import try_out as ask
from portal import credential_ages

logger = logging.getLogger(__name__)


def try_out(source: Source) -> Iterator[tuple[int, str]]:
    """(level of django.contrib.messages, sentence). Keeps when the credential ends."""
    spec = SourceSpec(source.kind, source.target, source.credential_ref, source.options)
    credential_ages.note_use(source.credential_ref)
    try:
        answer = ask(reader_for(spec))
    except SourceFailed as failure:
        answer = Connection(False, (str(failure),))
    except Exception as error:
        # Not its text, which may quote what was sent.
        logger.error("%s: could not be tried: %s", source.slug, type(error).__name__)
        answer = Connection(False, ("Stagedoor itself failed to try it; its log says why.",))
    if answer.ok and answer.expires_at is not None:
        credential_ages.tell_expiry(source.credential_ref, answer.expires_at)
    if not answer.ok:
        yield messages.WARNING, f"Saved, but it can't be read yet. {' '.join(answer.sentences)}"
    elif answer.sentences:
        yield messages.INFO, " ".join(answer.sentences)
