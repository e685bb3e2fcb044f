"""The account's pages about API tokens: which there are, a new one, and the end of one."""

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal import api_tokens
from portal.access import actor_for
from portal.group_age import confirmations
from portal.models import ApiToken
from portal.policy import PERMISSIONS
from portal.token_form import TokenForm

# The new token travels to the page that shows it, in a cookie that only this page gets and takes
# away: so it is in no address, no session and no log, and a reload doesn't make another one.
COOKIE = "stagedoor_new_token"
COOKIE_SECONDS = 120
SHOWN_ENDED = 20


@never_cache
@require_safe
def token_list(request: HttpRequest) -> HttpResponse:
    """My tokens: those that work, then those that ended."""
    now = timezone.now()
    tokens = list(ApiToken.objects.filter(user=request.user))
    live = [token for token in tokens if not token.revoked_at and token.expires_at > now]
    ended = [token for token in tokens if token not in live][:SHOWN_ENDED]
    context = {
        "live": [(token, _scope(token)) for token in live],
        "ended": [(token, _scope(token)) for token in ended],
        "confirmed": confirmations([request.user.pk]).get(request.user.pk) if live else None,
    }
    return render(request, "portal/token_list.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def token_create(request: HttpRequest) -> HttpResponse:
    """The form, and the making."""
    form = TokenForm(actor_for(request.user), request.POST if request.method == "POST" else None)
    if not form.is_valid():
        status = 422 if form.is_bound else 200
        return render(request, "portal/token_create.html", {"form": form}, status=status)
    row, token = api_tokens.create(
        request.user,  # type: ignore[arg-type]
        form.cleaned_data["name"],
        form.cleaned_data["permissions"],
        form.expires_at(),
        request,
        agent=form.cleaned_data["agent"],
    )
    address = reverse("portal:token_created", args=[row.pk])
    response = redirect(address)
    response.set_cookie(
        COOKIE,
        token,
        max_age=COOKIE_SECONDS,
        path=address,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",
    )
    return response


@never_cache
@require_safe
def token_created(request: HttpRequest, pk: int) -> HttpResponse:
    """Shows a new token, once."""
    row = _mine(request, pk)
    token = request.COOKIES.get(COOKIE, "")
    shown = token if api_tokens.digest_of(token) == row.digest else ""
    context = {"row": row, "scope": _scope(row), "token": shown, "portal_url": settings.PORTAL_URL}
    response = render(request, "portal/token_created.html", context)
    if token:
        response.delete_cookie(COOKIE, path=request.path, samesite="Strict")
    return response


@require_POST
def token_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """Ends one of my tokens at once."""
    row = _mine(request, pk)
    api_tokens.revoke(row, request.user, request)
    messages.success(request, f"“{row.name}” is revoked. Whatever used it is now refused.")
    return redirect("portal:token_list")


def _mine(request: HttpRequest, pk: int) -> ApiToken:
    row = ApiToken.objects.filter(user=request.user, pk=pk).first()
    if row is None:
        raise Http404("You have no such token.")
    return row


def _scope(token: ApiToken) -> str:
    """What it may do, in words."""
    return ", ".join(PERMISSIONS.get(name, name) for name in token.permissions)
