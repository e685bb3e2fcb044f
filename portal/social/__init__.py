"""Sign-in through SAML, GitHub and Bitbucket, which django-allauth speaks, beside the OIDC one."""
