"""Why a sign-in failed: a sentence for the person, a detail for the log, never a stack trace.

The person reads what to do next; the operator finds the detail in the audit trail and the log by
the reference on the page. A provider's own words stay out of both: they may hold a token.
"""

from django.conf import settings
from django.utils.text import capfirst

# code -> what the person reads
SENTENCES = {
    "provider_down": (
        "{provider} does not answer at the moment, so nobody can sign in through it. "
        "Try again in a minute."
    ),
    "provider_misconfigured": (
        "{provider} answers with an address or a setting that does not match this portal. "
        "Ask an administrator to check the sign-in settings."
    ),
    "code_refused": (
        "{provider} did not accept this sign-in, mostly because it took too long. Sign in again."
    ),
    "token_refused": (
        "{provider} sent a proof of identity that can't be trusted, so you were not signed in. "
        "Sign in again; if it happens twice, give an administrator the reference below."
    ),
    "unknown_state": (
        "This sign-in was not started in this browser, or it was used already. Sign in again."
    ),
    "refused": "{provider} did not sign you in, or the sign-in was cancelled. Sign in again.",
    "session_ended": "Your session at {provider} has ended. Sign in again to go on.",
    "link_only": (
        "An account of {provider} does not sign in here by itself. Sign in with your company "
        "account; yours of {provider} can be linked to it on your account page."
    ),
    "taken": (
        "This account of {provider} belongs to somebody else here. Sign in through it, or ask an "
        "administrator."
    ),
    "inactive": "Your account here is deactivated. Ask an administrator to activate it again.",
    "company_account": (
        "This is a company account: it signs in through {provider}, not with a password here."
    ),
}


class SignInFailure(Exception):
    """`code` is a key of SENTENCES; `detail` is for the log and the trail and holds no token.

    `provider` is as it stands in a sentence; empty: the OIDC provider.
    """

    def __init__(self, code: str, detail: str = "", username: str = "", provider: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail
        self.username = username
        self.provider = provider

    @property
    def sentence(self) -> str:
        return sentence(self.code, self.provider)


def sentence(code: str, provider: str = "") -> str:
    """What a person reads; an unknown code reads as a refusal. No `provider`: the OIDC one."""
    words = SENTENCES.get(code, SENTENCES["refused"])
    return capfirst(words.format(provider=provider or settings.OIDC_ISSUER_NAME))
