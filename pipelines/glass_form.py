"""What people write when they break the glass, and when they review that somebody did."""

from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import ValidationError

from pipelines.bounds import text, web_url
from pipelines.glass import MAX_MINUTES, MAX_REASON, MIN_REASON, Asked

MINUTES = 15  # what the form begins with


class GlassForm(forms.Form):
    reason = forms.CharField(
        label="Reason",
        max_length=MAX_REASON,
        help_text="What is broken, and what you are about to do. The owners and the reviewer read "
        "it.",
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    incident_url = forms.CharField(
        label="Incident",
        max_length=500,
        help_text="The address of the incident, ticket or channel where this is discussed.",
        widget=forms.TextInput(
            attrs={"inputmode": "url", "autocomplete": "off", "placeholder": "https://"}
        ),
    )
    minutes = forms.IntegerField(
        label="Minutes",
        min_value=1,
        max_value=MAX_MINUTES,
        initial=MINUTES,
        help_text=f"It closes by itself after that, {MAX_MINUTES} at most. Close it sooner when "
        "you are done.",
        error_messages=dict.fromkeys(
            ("invalid", "min_value", "max_value"), f"Give 1 to {MAX_MINUTES} minutes."
        ),
    )

    def clean_reason(self) -> str:
        reason = text(self.cleaned_data["reason"].strip(), MAX_REASON)
        if len("".join(reason.split())) < MIN_REASON:
            raise ValidationError(
                f"Say a little more, {MIN_REASON} letters at least: whoever reviews this was not "
                "there."
            )
        return reason

    def clean_incident_url(self) -> str:
        written = self.cleaned_data["incident_url"].strip()
        if not web_url(written) or not _is_split(written):
            raise ValidationError(
                "Give an address that begins with https:// or http:// and holds no user name."
            )
        if not urlsplit(written).hostname:
            raise ValidationError("This address names no host.")
        return written

    @property
    def asked(self) -> Asked:
        given = self.cleaned_data
        return Asked(given["reason"], given["incident_url"], given["minutes"])


def _is_split(written: str) -> bool:
    """Whether it is one address, and one that can be taken apart."""
    try:
        urlsplit(written)
    except ValueError:
        return False
    return not any(sign.isspace() for sign in written)


class ReviewForm(forms.Form):
    verdict = forms.ChoiceField(
        label="Was it justified?",
        choices=[("yes", "Justified"), ("no", "Not justified")],
        widget=forms.RadioSelect,
        error_messages={"required": "Say whether it was justified.", "invalid_choice": "Choose."},
    )
    comment = forms.CharField(
        label="Comment",
        max_length=MAX_REASON,
        help_text="What you looked at, and what should change so that it is not needed again.",
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": "Say what you looked at."},
    )

    def clean_comment(self) -> str:
        return text(self.cleaned_data["comment"].strip(), MAX_REASON)
