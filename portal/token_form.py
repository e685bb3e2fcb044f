"""The form that makes an API token."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from portal.api_tokens import DEFAULT_DAYS, MAX_DAYS, MAX_LIVE, READ_ONLY
from portal.models import ApiToken
from portal.policy import PEOPLE_ONLY, PERMISSIONS, Actor

DAYS = (1, 7, DEFAULT_DAYS, 60, MAX_DAYS)


def check_printable(text: str) -> None:
    """What turns the direction of writing, or is not seen, would make one name look like another
    in the trail."""
    if not text.isprintable():
        raise forms.ValidationError("There are characters in it that can't be seen. Type it anew.")


class TokenForm(forms.Form):
    """Offers what the person may do somewhere themselves; reading is chosen already."""

    name = forms.CharField(max_length=100, strip=True, validators=[check_printable])
    agent = forms.CharField(max_length=60, required=False, strip=True, validators=[check_printable])
    days = forms.TypedChoiceField(
        choices=[(days, "1 day" if days == 1 else f"{days} days") for days in DAYS],
        coerce=int,
        initial=DEFAULT_DAYS,
    )
    permissions = forms.MultipleChoiceField(
        error_messages={
            "required": "Choose at least one thing that the token may do.",
            "invalid_choice": "You may not do this yourself, or only a person may: a token can't.",
        }
    )

    def __init__(self, actor: Actor, data: Any = None) -> None:
        held = {one for grant in actor.grants for one in grant.permissions} - PEOPLE_ONLY
        super().__init__(data, initial={"permissions": [p for p in READ_ONLY if p in held]})
        self._user_id = actor.user_id
        permissions = self.fields["permissions"]
        permissions.choices = [(p, words) for p, words in PERMISSIONS.items() if p in held]  # type: ignore[attr-defined]
        self.fields["name"].error_messages["required"] = "Say what the token is for."

    def clean(self) -> dict[str, Any]:
        live = ApiToken.objects.filter(
            user_id=self._user_id, revoked_at=None, expires_at__gt=timezone.now()
        )
        if live.count() >= MAX_LIVE:
            raise forms.ValidationError(
                f"You have {MAX_LIVE} tokens that still work. Revoke one that you no longer need."
            )
        return super().clean() or self.cleaned_data

    @property
    def chosen(self) -> set[str]:
        """The permissions that are ticked when the form is drawn."""
        return set(self["permissions"].value() or ())

    def expires_at(self) -> datetime:
        return timezone.now() + timedelta(days=self.cleaned_data["days"])
