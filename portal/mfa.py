"""Keeps the secrets of second factors out of the database's plain text."""

import base64
import hashlib
from typing import Any

from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from portal.local_accounts import is_of_company


class MFAAdapter(DefaultMFAAdapter):
    """Encrypts with a key made from SECRET_KEY; SECRET_KEY_FALLBACKS still decrypt."""

    def get_totp_issuer(self) -> str:
        return "Stagedoor"

    def is_mfa_enabled(self, user: Any, types: Any = None) -> bool:
        """As the library, but people of the company have their provider's second factor."""
        return super().is_mfa_enabled(user, types) and not is_of_company(user)

    def encrypt(self, text: str) -> str:
        return _fernet().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        try:
            return _fernet().decrypt(encrypted_text.encode()).decode()
        except InvalidToken:
            raise ImproperlyConfigured(
                "SECRET_KEY has changed, so second factors can't be read. Put the old key into "
                "SECRET_KEY_FALLBACKS, or remove them: manage.py remove_second_factor NAME."
            ) from None


def _fernet() -> MultiFernet:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(_derived(key)) for key in keys])


def _derived(key: str) -> bytes:
    return base64.urlsafe_b64encode(hashlib.sha256(b"stagedoor mfa " + key.encode()).digest())
