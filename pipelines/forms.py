"""The forms that ask for a write; what they may hold is checked where it is decided."""

import uuid
from collections.abc import Iterable, Mapping

from django import forms

from pipelines.inputs import Item, fields_of, fillable, parameter_items, read_variables, takes
from pipelines.models import Pipeline, PipelineLink
from pipelines.providers.base import Capability, Gate

PREFIX = "parameter:"
# What chooses among the named pipelines of one repository.
NAMED_PIPELINE = "PIPELINE"
# All lines together; the preview sends them in its address.
VARIABLES_LENGTH = 8000
NOT_WHOLE = "This form is not whole. Open the page anew and try again."


class RequestForm(forms.Form):
    """The request id, made by the server: a form that is sent twice is one request."""

    request_id = forms.UUIDField(
        widget=forms.HiddenInput,
        initial=uuid.uuid4,
        error_messages=dict.fromkeys(("required", "invalid"), NOT_WHOLE),
    )

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters as they stand in the form, checked or not."""
        declared = {
            name.removeprefix(PREFIX): _text(self.now(name))
            for name in self.fields
            if name.startswith(PREFIX)
        }
        # A longer text is refused as a whole.
        written = _text(self.now("variables"))[:VARIABLES_LENGTH]
        return {**read_variables(written)[0], **declared}

    @property
    def whole_errors(self) -> list[str]:
        """What is wrong with the form as a whole, its hidden fields included."""
        hidden = [field.name for field in self.hidden_fields()]
        return [
            *self.non_field_errors(),
            *(error for name in hidden for error in self.errors.get(name, [])),
        ]

    def show(self, errors: Mapping[str, str]) -> None:
        """Puts what the request found wrong beside its field."""
        for key, sentence in errors.items():
            if key in self.fields:
                self.add_error(key, sentence)
            elif key.startswith(PREFIX) and "variables" in self.fields:
                self.add_error("variables", f"{key.removeprefix(PREFIX)}: {sentence}")
            else:
                self.add_error(None, sentence)

    def now(self, name: str) -> object:
        """What stands in a field: the data where there is any, else what it begins with."""
        if name not in self.fields:
            return ""
        if self.is_bound:
            field = self.fields[name]
            return field.widget.value_from_datadict(self.data, self.files, name)
        return self.get_initial_for_field(self.fields[name], name)

    def clean_variables(self) -> str:
        """Every line that is none is named."""
        written = str(self.cleaned_data["variables"])
        variables, errors = read_variables(written)
        declared = [name for name in variables if PREFIX + name in self.fields]
        errors += [f"{name} has a field of its own." for name in declared]
        if errors:
            raise forms.ValidationError(errors)
        return written

    def add_parameters(self, items: Iterable[Item]) -> None:
        for item in items:
            self.fields[PREFIX + str(item["name"])] = _field(item)

    def add_variables(self, server: str) -> None:
        """Where the provider takes parameters that its pipeline does not declare."""
        self.fields["variables"] = forms.CharField(
            required=False,
            max_length=VARIABLES_LENGTH,
            strip=False,
            widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "mono"}),
            help_text="One NAME=value a line, without quotes. No secrets: all who see the build, "
            f"here or in {server}, see its variables.",
        )


class TriggerForm(RequestForm):
    """A run: branch, commit, one field per declared parameter, and a person's own variables."""

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
        if takes(pipeline, Capability.COMMIT):
            self.fields["commit"] = forms.CharField(
                required=False,
                max_length=64,
                help_text="Leave it empty for the newest of the branch. Else give the whole id.",
                widget=forms.TextInput(
                    attrs={"autocomplete": "off", "spellcheck": "false", "class": "mono"}
                ),
            )
        self.add_parameters(fields_of(pipeline))
        if takes(pipeline, Capability.VARIABLES):
            self.add_variables(pipeline.server.name)

    @property
    def branch(self) -> str:
        return str(self.now("branch") or "")

    @property
    def commit(self) -> str:
        return str(self.now("commit") or "")


class GateForm(RequestForm):
    """What a waiting build asks a person for; the gate's id is believed only when the server
    names that gate for this build."""

    gate = forms.CharField(widget=forms.HiddenInput, max_length=255, strip=False)

    def __init__(self, gate: Gate, data: Mapping[str, str] | None = None) -> None:
        # Several of these stand on one page, so ids carry the gate's.
        super().__init__(data, initial={"gate": gate.id}, auto_id=f"gate-{hash_of(gate.id)}-%s")
        self.add_parameters(fillable(parameter_items(gate)))


class PromoteForm(RequestForm):
    """Where a build is promoted to, with variables of its own."""

    target = forms.CharField(
        max_length=100,
        help_text="As the pipeline's own conditions name it, for example production.",
        widget=forms.TextInput(attrs={"list": "targets", "autocomplete": "off"}),
    )

    def __init__(self, pipeline: Pipeline, data: Mapping[str, str] | None = None) -> None:
        super().__init__(data)
        if takes(pipeline, Capability.VARIABLES):
            self.add_variables(pipeline.server.name)

    @property
    def target_name(self) -> str:
        """The target as it stands in the form."""
        return str(self.now("target") or "").strip()


def hash_of(word: str) -> str:
    """A short name for an element of a page, of a vendor's word."""
    return uuid.uuid5(uuid.NAMESPACE_OID, word).hex[:8]


def _field(item: Item) -> forms.Field:
    words = {
        # A name of ours, where the vendor has a word for it and no parameter.
        "label": "Pipeline" if item["name"] == NAMED_PIPELINE else str(item["name"]),
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
