"""The settings of how people come in: the company's provider, SAML, GitHub, Bitbucket, SCIM.

A part of `settings.py`, which takes every name over: code asks `django.conf.settings` for them.
"""

from django.core.exceptions import ImproperlyConfigured

from portal.env import env_bool, env_choice, env_int, env_list, env_map, env_secret, env_str
from portal.environment import PRODUCTION
from portal.social.configuration import SAML, doors, provider_settings
from portal.way_in import check_way_in

# mozilla-django-oidc is the company sign-in; allauth serves local administrators and MFA.
AUTHENTICATION_BACKENDS = [
    "allauth.account.auth_backends.AuthenticationBackend",
    "portal.signin.OIDCBackend",
]
LOGIN_URL = "portal:signin"
LOGIN_REDIRECT_URL = "portal:home"
LOGOUT_REDIRECT_URL = "portal:signed_out"

ACCOUNT_ADAPTER = "portal.local_accounts.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = False  # a local administrator's session ends with the browser
ACCOUNT_LOGOUT_REDIRECT_URL = "/signed-out/"
MFA_ADAPTER = "portal.mfa.MFAAdapter"
MFA_ALLOW_UNVERIFIED_EMAIL = True  # nobody registers, so an address proves nothing here
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not PRODUCTION

# SAML, GitHub and Bitbucket, each where it is configured (portal/social/configuration.py).
SIGNIN_DOORS = doors()
LOCAL_ACCOUNTS_ONLY = env_bool("LOCAL_ACCOUNTS_ONLY")  # said in production, where it is meant
check_way_in(production=PRODUCTION, doors=SIGNIN_DOORS)
SOCIALACCOUNT_PROVIDERS = provider_settings(SIGNIN_DOORS)
# Whether accounts of GitHub and Bitbucket sign in by themselves, and are not only linked to people.
# Where the company has a provider, that would give one human two accounts.
SOCIAL_SIGNIN = env_bool("SOCIAL_SIGNIN", not env_str("OIDC_ISSUER") and SAML not in SIGNIN_DOORS)
SOCIALACCOUNT_ADAPTER = "portal.social.adapter.SocialAdapter"
SOCIALACCOUNT_QUERY_EMAIL = False  # an address proves nothing here
# A form that leads to another host would be stopped by the form-action rule below.
SOCIALACCOUNT_LOGIN_ON_GET = True
SAML_GROUPS_ATTRIBUTE = env_str("SAML_GROUPS_ATTRIBUTE", "groups")
# With these, everybody's groups are read hourly, not only at their own sign-in.
GITHUB_MEMBERS_TOKEN = env_secret("GITHUB_MEMBERS_TOKEN")
BITBUCKET_MEMBERS_TOKEN = env_secret("BITBUCKET_MEMBERS_TOKEN")

# The issuer URL; its discovery document is fetched, checked and cached by portal/signin.py.
OIDC_OP_ISSUER = env_str("OIDC_ISSUER", "" if PRODUCTION else "http://127.0.0.1:9700")
# Prefix of the Django groups that mirror this provider's groups ("<slug>:<group>").
OIDC_ISSUER_SLUG = env_str("OIDC_ISSUER_SLUG", "idp")
# As it stands in a sentence: "Continue with …", "… does not answer".
OIDC_ISSUER_NAME = env_str(
    "OIDC_ISSUER_NAME", "your company account" if PRODUCTION else "Limelight"
)
# How the groups are read (portal/group_claims.py): from which claim ("realm_access.roles" is one
# inside another), and what parts them where they come as one string.
OIDC_GROUPS_CLAIM = env_str("OIDC_GROUPS_CLAIM", "groups")
OIDC_GROUPS_SEPARATOR = env_choice("OIDC_GROUPS_SEPARATOR", ("none", "comma", "space"))
# What becomes of Keycloak's "/limelight/payments": kept, "limelight/payments", or "payments".
OIDC_GROUPS_FORMAT = env_choice("OIDC_GROUPS_FORMAT", ("as-sent", "path", "name"))
# A list exactly as long as this may have been cut, so that its person only reads; 0: never.
OIDC_GROUPS_MAX = env_int("OIDC_GROUPS_MAX", 100)
# Names for groups that arrive as ids.
OIDC_GROUP_NAMES = env_map("OIDC_GROUP_NAMES")
# Further claims whose values count as groups, "<slug>-claim:department=payments". Only claims that
# people can't edit themselves are safe here.
OIDC_CLAIM_GROUPS = env_list("OIDC_CLAIM_GROUPS")
# Where Entra's groups are asked for when there are too many for a sign-in; empty: nowhere.
OIDC_GRAPH_URL = env_str("OIDC_GRAPH_URL").rstrip("/")
# Members of these groups of the provider open Django admin; nobody else from it does.
OIDC_ADMIN_GROUPS = env_list("OIDC_ADMIN_GROUPS", "" if PRODUCTION else "stagedoor-admins")
# The same for groups of any origin, with its prefix: "saml:admins", "github:limelight/platform".
ADMIN_GROUPS = env_list("ADMIN_GROUPS")
# The claim that names the person's User entity in the catalog; empty links nobody by a claim.
# Only a claim that people can't edit themselves is safe here.
OIDC_USER_REF_CLAIM = env_str("OIDC_USER_REF_CLAIM", "" if PRODUCTION else "catalog_user")
OIDC_RP_CLIENT_ID = env_str("OIDC_CLIENT_ID", "" if PRODUCTION else "stagedoor")
OIDC_RP_CLIENT_SECRET = env_secret("OIDC_CLIENT_SECRET", "" if PRODUCTION else "demo-client-secret")
OIDC_RP_SCOPES = env_str("OIDC_SCOPES", "openid email profile groups")
OIDC_RP_SIGN_ALGO = env_str("OIDC_SIGN_ALGO", "RS256")
OIDC_USE_PKCE = True
OIDC_PKCE_CODE_CHALLENGE_METHOD = "S256"
OIDC_TIMEOUT = 5  # seconds; the library's default waits for ever
OIDC_STORE_ID_TOKEN = True  # sent as id_token_hint at sign-out
OIDC_OP_LOGOUT_URL_METHOD = "portal.signin.provider_logout_url"
OIDC_RENEW_ID_TOKEN_EXPIRY_SECONDS = env_int("OIDC_RENEW_SECONDS", 3600)
# So long groups count that nobody has confirmed (portal/group_age.py). Two weeks' holiday with the
# weekends around it keep what runs by itself; who has left keeps it no longer.
GROUPS_MAX_AGE_DAYS = env_int("GROUPS_MAX_AGE_DAYS", 17)
if not 1 <= GROUPS_MAX_AGE_DAYS <= 90:
    raise ImproperlyConfigured("GROUPS_MAX_AGE_DAYS must be from 1 to 90.")
OIDC_CALLBACK_CLASS = "portal.signin.CallbackView"
OIDC_AUTHENTICATE_CLASS = "portal.signin.RequestView"
# Reachable with a session that is due for renewal; the failure page must not lead to itself.
OIDC_EXEMPT_URLS = [
    "portal:signin",
    "portal:signin_failed",
    "portal:signin_renew",
    "portal:signin_again",
    "portal:signout",
    "portal:healthz",
]

# The secret of the company's directory, which tells by SCIM 2.0 who is here and who has left; empty
# switches SCIM off. A sign-in finds whom it made by this attribute, which holds the value of that
# claim. Only a claim that people can't edit themselves is safe here.
SCIM_TOKEN = env_secret("SCIM_TOKEN")
if PRODUCTION and 0 < len(SCIM_TOKEN) < 32:
    raise ImproperlyConfigured("SCIM_TOKEN must be 32 or more random characters.")
SCIM_SUBJECT = env_choice("SCIM_SUBJECT", ("externalId", "userName"))
SCIM_SUBJECT_CLAIM = env_str("SCIM_SUBJECT_CLAIM", "sub")
