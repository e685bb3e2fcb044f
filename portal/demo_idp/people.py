"""Who works at Limelight, the demo organisation: the accounts of the demo identity provider.

The passwords are no secrets: the provider listens on loopback and knows nobody else. Which person
of the catalog an account is, and what its groups may do, the portal decides by itself.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Person:
    """One account; `groups` are the provider's, `may` is for the table that `make run` prints."""

    username: str
    name: str
    groups: tuple[str, ...]
    may: str

    @property
    def password(self) -> str:
        return f"{self.username}-at-limelight"

    @property
    def email(self) -> str:
        return f"{self.username}@limelight.example"


PEOPLE = (
    Person(
        "ana",
        "Ana Duarte",
        ("payments", "payments-deployers"),
        "starts the builds of Payments, in every environment",
    ),
    Person(
        "daniel",
        "Daniel Roth",
        ("payments", "payments-testers"),
        "starts the builds of Payments, in development only",
    ),
    Person(
        "ben",
        "Ben Okafor",
        ("box-office",),
        "looks at everything, starts nothing",
    ),
    Person(
        "chiara",
        "Chiara Conti",
        ("box-office", "box-office-deployers"),
        "starts the builds of Box office",
    ),
    Person(
        "elif",
        "Elif Kaya",
        ("discovery", "discovery-deployers"),
        "starts the builds of Discovery",
    ),
    Person("farid", "Farid Haddad", ("discovery",), "looks at everything, starts nothing"),
    Person(
        "hugo",
        "Hugo Marchand",
        ("front-of-house", "front-of-house-developers"),
        "retries and cancels the builds of Front of house",
    ),
    Person("ines", "Ines Vidal", ("box-office",), "looks at everything, starts nothing"),
    Person("jonas", "Jonas Berg", ("front-of-house",), "looks at everything, starts nothing"),
    Person("kofi", "Kofi Mensah", ("payments",), "looks at everything, starts nothing"),
    Person(
        "grace",
        "Grace Lin",
        ("platform", "platform-deployers"),
        "starts every build, except in production",
    ),
    Person(
        "lena",
        "Lena Fischer",
        ("platform", "stagedoor-admins"),
        "administers Stagedoor: /admin/, role mappings, servers, sources",
    ),
)
