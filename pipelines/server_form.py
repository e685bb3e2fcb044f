"""The form of a server: what is wrong is said in a sentence before anything is asked or stored."""

from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import ValidationError

from pipelines import claims
from pipelines.models import Server
from pipelines.providers import PROVIDERS
from pipelines.providers.errors import ProviderError
from pipelines.servers import client_for
from portal import credential_ages

SCHEMES = ("env:", "file:")
# /hooks/catalog/… is where the catalog's sources take webhooks.
RESERVED = {"catalog"}


def _reference(given: str) -> str:
    reference = given.strip()
    if not reference.startswith(SCHEMES):
        # Not repeated: someone may have pasted the secret itself.
        raise ValidationError(
            "Name where the secret is kept, “env:NAME” or “file:name”, not the secret itself."
        )
    return reference


class ServerForm(forms.ModelForm):
    """Refuses what could never work, and a secret where its reference belongs."""

    provider = forms.ChoiceField(choices=lambda: [(p.slug, p.label) for p in PROVIDERS.values()])

    base_url = forms.URLField(
        label="Base URL", assume_scheme="https", widget=forms.URLInput(attrs={"size": 60})
    )

    credential_ref = forms.CharField(
        label="Credential reference",
        max_length=200,
        help_text="Where the secret is kept, for example “env:BUILDKITE_TOKEN”; never the secret.",
        widget=forms.TextInput(attrs={"size": 60, "autocomplete": "off"}),
    )

    credential_expires = forms.DateTimeField(
        label="Credential expires",
        required=False,
        help_text="Where the server does not tell, for example 2026-12-31. UTC.",
    )

    class Meta:
        model = Server
        fields = ["name", "slug", "provider", "base_url", "credential_ref", "webhook_secret_ref"]
        fields += ["options", "claims", "enabled"]
        widgets = {
            "webhook_secret_ref": forms.TextInput(attrs={"size": 60, "autocomplete": "off"}),
            "options": forms.Textarea(attrs={"rows": 4, "cols": 80}),
            "claims": forms.Textarea(attrs={"rows": 6, "cols": 80}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        reference = self.instance.credential_ref if self.instance.pk else ""
        known = credential_ages.age_of(reference)
        if known is not None:
            field = self.fields["credential_expires"]
            field.initial, field.disabled = known.expires_at, known.told_by_vendor

    def clean_slug(self) -> str:
        slug = str(self.cleaned_data["slug"])
        if slug in RESERVED:
            raise ValidationError(f"“{slug}” is taken: the addresses of webhooks begin with it.")
        return slug

    def clean_base_url(self) -> str:
        url = str(self.cleaned_data["base_url"]).strip().rstrip("/")
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise ValidationError("The base URL begins with https:// or http://.")
        if "@" in parts.netloc:
            raise ValidationError("Leave user name and password out; name a credential instead.")
        if parts.query or parts.fragment:
            raise ValidationError("The base URL has no part after ? or #.")
        return url

    def clean_credential_ref(self) -> str:
        return _reference(str(self.cleaned_data["credential_ref"]))

    def clean_webhook_secret_ref(self) -> str:
        given = str(self.cleaned_data["webhook_secret_ref"])
        references = [_reference(part) for part in credential_ages.references(given)]
        if len(references) > 2:
            raise ValidationError("Two at most: the old one and the one that replaces it.")
        return ",".join(references)

    def clean_options(self) -> dict[str, Any]:
        options = self.cleaned_data["options"] or {}
        if not isinstance(options, dict):
            raise ValidationError('Options are an object, for example {"folders": ["payments"]}.')
        return options

    def clean_claims(self) -> list[Any]:
        given = self.cleaned_data["claims"] or []
        problems = claims.problems(given)
        if problems:
            raise ValidationError([ValidationError(sentence) for sentence in problems])
        return list(given)

    def warning(self, server: Server) -> str:
        """What would keep a saved server from working, "" when a client can be made of it."""
        try:
            client_for(server)
        except ProviderError as error:
            return str(error)
        return ""
