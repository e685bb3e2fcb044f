"""A stand-in CI: speaks the vendors' wire formats over real HTTP, for the demo and the tests.

It is a world of its own: no Django models, no settings and nothing of the portal's database, so
that a test against it proves something about the wire and not about shared code.
"""
