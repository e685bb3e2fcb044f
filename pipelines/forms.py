"""The run form: a branch and the parameters that the pipeline declares."""

import uuid
from collections.abc import Mapping

from django import forms

from pipelines.inputs import fields_of, takes
from pipelines.models import Pipeline, PipelineLink
from pipelines.providers.base import Capability

PREFIX = "parameter:"


class TriggerForm(forms.Form):
    """One field per declared parameter; what they may hold is checked where it is decided."""

    request_id = forms.UUIDField(
        widget=forms.HiddenInput,
        initial=uuid.uuid4,
        error_messages=dict.fromkeys(
            ("required", "invalid"), "This form is not whole. Open the page anew and try again."
        ),
    )

    def __init__(self, link: PipelineLink, data: Mapping[str, str] | None = None) -> None:
        super().__init__(data)
        pipeline = link.pipeline
        if takes(pipeline, Capability.BRANCH):
            self.fields["branch"] = forms.CharField(
                required=False,
                max_length=255,
                initial=pipeline.default_branch,
                widget=forms.TextInput(attrs={"list": "branches", "autocomplete": "off"}),
            )
        for item in fields_of(pipeline):
            self.fields[PREFIX + str(item["name"])] = _field(item)

    @property
    def branch(self) -> str:
        """What is asked for now: the data where there is any, else the default."""
        return str(self._now("branch") or "")

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters as they stand in the form, checked or not."""
        return {
            name.removeprefix(PREFIX): _text(self._now(name))
            for name in self.fields
            if name.startswith(PREFIX)
        }

    @property
    def whole_errors(self) -> list[str]:
        """What is wrong with the form as a whole, its hidden field included."""
        return [*self.non_field_errors(), *self.errors.get("request_id", [])]

    def show(self, errors: Mapping[str, str]) -> None:
        """Puts what the request found wrong beside its field."""
        for key, sentence in errors.items():
            self.add_error(key if key in self.fields else None, sentence)

    def _now(self, name: str) -> object:
        if name not in self.fields:
            return ""
        if self.is_bound:
            field = self.fields[name]
            return field.widget.value_from_datadict(self.data, self.files, name)
        return self.get_initial_for_field(self.fields[name], name)


def left_out(pipeline: Pipeline) -> list[str]:
    """Password parameters, which Stagedoor neither takes nor keeps."""
    return [item["name"] for item in pipeline.parameters if item.get("type") == "password"]


def _field(item: Mapping[str, object]) -> forms.Field:
    words = {
        "label": str(item["name"]),
        "help_text": str(item.get("description") or ""),
        "initial": item.get("default") or "",
        "required": False,
    }
    choices = item.get("choices")
    if item.get("type") == "choice" and isinstance(choices, list):
        return forms.ChoiceField(choices=[(choice, choice) for choice in choices], **words)
    if item.get("type") == "boolean":
        initial = str(words.pop("initial")).lower() == "true"
        return forms.BooleanField(initial=initial, **words)
    widget = forms.Textarea(attrs={"rows": 4}) if item.get("type") == "text" else forms.TextInput
    return forms.CharField(widget=widget, strip=False, **words)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
