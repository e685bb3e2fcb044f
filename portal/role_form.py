"""The form of a role: every permission that policy knows, to be ticked."""

from django import forms

from portal.models import Role
from portal.policy import PERMISSIONS


class RoleForm(forms.ModelForm):
    """A permission that policy no longer knows is gone as soon as the role is saved."""

    permissions = forms.MultipleChoiceField(
        choices=[(name, f"{words} ({name})") for name, words in PERMISSIONS.items()],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        label="Allows to",
    )

    class Meta:
        model = Role
        fields = ["name", "slug", "description", "permissions", "rank", "delegable"]
