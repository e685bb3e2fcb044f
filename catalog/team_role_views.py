"""A team's page of roles: who has which on its services, and for its owners, giving and taking."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from catalog import team_roles
from catalog.models import Entity
from catalog.pages import entity_or_404
from portal.guard import actor_of, require
from portal.models import Role
from portal.role_mapping_form import ProposingInput, choices_of, group_proposals
from portal.subjects import people_of


class TeamRoleForm(forms.Form):
    """What is given to whom; whether this person may give it, team_roles.give() says."""

    group = forms.CharField(max_length=200, label="To whom")
    role = forms.ModelChoiceField(Role.objects.none(), empty_label=None)
    scope_ref = forms.ChoiceField(label="On")
    environment = forms.ChoiceField(required=False)
    note = forms.CharField(max_length=200, label="Why")

    def __init__(self, data: Any, team: Entity) -> None:
        super().__init__(data)
        roles = [role.pk for role in team_roles.delegable()]
        self.fields["group"].widget = ProposingInput(group_proposals())
        self.fields["role"].queryset = Role.objects.filter(pk__in=roles)  # type: ignore[attr-defined]
        services = team_roles.services_of(team)
        scopes = [
            (team.ref, "all services of the team"),
            *((one.ref, str(one)) for one in services),
        ]
        self.fields["scope_ref"].choices = scopes  # type: ignore[attr-defined]
        environments = [("", "any environment"), *choices_of("environment")]
        self.fields["environment"].choices = environments  # type: ignore[attr-defined]

    @property
    def wish(self) -> team_roles.Wish:
        data = self.cleaned_data
        return team_roles.Wish(
            data["group"].strip(),
            data["role"],
            data["scope_ref"],
            data["environment"],
            data["note"],
        )


@require_http_methods(["GET", "HEAD", "POST"])
def team_roles_page(request: HttpRequest, namespace: str, name: str) -> HttpResponse:
    """Who has which role here; a POST gives one."""
    team = entity_or_404(request, namespace, "group", name)
    decision = team_roles.decide_grant(actor_of(request), team)
    if request.method == "POST":
        require(request, team_roles.PERMISSION, team_roles.target_of(team))
    form = TeamRoleForm(request.POST if request.method == "POST" else None, team)
    if request.method == "POST" and form.is_valid():
        refusal = team_roles.give(request.user, team, form.wish, request)
        if not refusal:
            messages.success(request, "Given. It holds from now on.")
            return redirect(request.path)
        form.add_error(None, refusal)
    mappings = team_roles.roles_here(team)
    context = {
        "team": team,
        "decision": decision,
        "form": form,
        "roles": team_roles.delegable(),
        "mappings": [(people_of(one.group), one) for one in mappings],
    }
    return render(
        request, "catalog/team_roles_page.html", context, status=422 if form.errors else 200
    )


@require_POST
def team_role_take_back(request: HttpRequest, namespace: str, name: str, pk: int) -> HttpResponse:
    """Takes back what was given here."""
    team = entity_or_404(request, namespace, "group", name)
    refusal = team_roles.take_back(request.user, team, pk, request)
    if refusal:
        messages.error(request, refusal)
    else:
        messages.success(request, "Taken back. It no longer holds.")
    return redirect("catalog:team_roles_page", namespace, name)
