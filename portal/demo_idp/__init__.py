"""The demo's identity provider: a second small Django project on django-allauth's OIDC server.

It is there so that the demo and the tests sign in through a real provider. It listens on loopback,
everybody's password is known, and production refuses to start it.
"""
