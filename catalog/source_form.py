"""The form of a source: what is wrong is said in a sentence before anything is asked or stored."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from catalog.forms import KINDS
from catalog.models import Source
from catalog.sources import SourceFailed, SourceSpec, reader_for
from catalog.sources.base import Option
from catalog.sources.options import OPTIONS, clean, every_option, options_of
from portal import credential_ages

SCHEMES = ("env:", "file:")
PREFIX = "option_"
PASTED = "Name where the secret is kept, “env:NAME” or “file:name”, not the secret itself."


class ReferenceInput(forms.TextInput):
    """Shows a reference again, and never what was pasted in its place."""

    def __init__(self) -> None:
        super().__init__(attrs={"size": 60, "autocomplete": "off"})

    def format_value(self, value: Any) -> str | None:
        text = str(value or "")
        named = all(part.startswith(SCHEMES) for part in credential_ages.references(text))
        return text if named else ""


def _field(option: Option) -> forms.Field:
    takers = [kind for kind in OPTIONS if option.name in {one.name for one in options_of(kind)}]
    kinds = [Source.Kind(kind).label for kind in takers]
    common: dict[str, Any] = {
        "label": option.label,
        "required": False,
        "help_text": f"{option.hint} For: {', '.join(kinds)}.",
    }
    if option.shape == "flag":
        return forms.BooleanField(**common)
    if option.shape == "list":
        widget = forms.Textarea(attrs={"rows": 3, "cols": 60, "placeholder": option.default})
        return forms.CharField(widget=widget, **common)
    widget = forms.TextInput(attrs={"size": 60, "placeholder": option.default})
    return forms.CharField(widget=widget, **common)


OptionFields = type(
    "OptionFields",
    (forms.Form,),
    {f"{PREFIX}{name}": _field(option) for name, option in every_option().items()},
)


class SourceForm(OptionFields, forms.ModelForm):  # type: ignore[misc, valid-type]
    """Refuses what could never be read, and a secret where its reference belongs."""

    allowed_kinds = forms.MultipleChoiceField(
        label="Allowed kinds",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Only these are taken from here; none chosen: all.",
    )

    class Meta:
        model = Source
        fields = ["name", "slug", "kind", "target", "credential_ref", "allowed_kinds"]
        fields += ["webhook_secret_ref", "max_missing_percent", "trusted_for_org", "enabled"]
        fields += ["interval_seconds"]
        widgets = {
            "credential_ref": ReferenceInput(),
            "webhook_secret_ref": ReferenceInput(),
            "target": forms.TextInput(attrs={"size": 60}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kept = self.instance.allowed_kinds or []
        known = [*KINDS, *(kind for kind in kept if kind not in KINDS)]
        self.fields["allowed_kinds"].choices = [(kind, kind) for kind in known]
        if self.instance.pk:  # its kind is known
            for option in options_of(self.instance.kind):
                self.fields[f"{PREFIX}{option.name}"].help_text = option.hint
        for name, value in (self.instance.options or {}).items():
            if f"{PREFIX}{name}" in self.fields:
                words = "\n".join(map(str, value)) if isinstance(value, list) else value
                self.initial[f"{PREFIX}{name}"] = words

    def clean_credential_ref(self) -> str:
        return _references(self.cleaned_data["credential_ref"], 1)

    def clean_webhook_secret_ref(self) -> str:
        return _references(self.cleaned_data["webhook_secret_ref"], 2)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        given = {name: data.get(f"{PREFIX}{name}") for name in every_option()}
        options, wrong = clean(str(data.get("kind", "")), given)
        for name, sentence in wrong.items():
            self.add_error(f"{PREFIX}{name}", sentence)
        self.instance.options = options
        credential = data.get("credential_ref")
        if data.get("enabled") and data.get("kind") and data.get("target") and not self.errors:
            try:
                reader_for(SourceSpec(data["kind"], data["target"], credential or "", options))
            except SourceFailed as refused:
                raise ValidationError({"target": str(refused)}) from None
        return data


def option_fields(source: Source | None) -> list[str]:
    """The fields of the source's kind; of every kind before it has one."""
    options = options_of(source.kind) if source else tuple(every_option().values())
    return [f"{PREFIX}{option.name}" for option in options]


def _references(given: str, most: int) -> str:
    found = credential_ages.references(given)
    if not all(part.startswith(SCHEMES) for part in found):
        # Not repeated: someone may have pasted the secret itself.
        raise ValidationError(PASTED)
    if len(found) > most:
        one = "One reference only."
        two = "Two at most: the old one and the one that replaces it."
        raise ValidationError(two if most > 1 else one)
    return ",".join(found)
