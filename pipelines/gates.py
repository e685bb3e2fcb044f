"""Where a build waits for a person: read from its server, for all viewers once in a few seconds."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipelines.bounds import text
from pipelines.forms import GateForm
from pipelines.models import Build
from pipelines.offers import GateOffer, Offers
from pipelines.providers.base import Gate, State
from pipelines.providers.errors import ProviderError
from pipelines.servers import admit, client_for
from pipelines.sharing import key_of, shared
from pipelines.targets import lacks

SHARED_SECONDS = 2


def gates_of(build: Build) -> tuple[list[Gate], str]:
    """The gates of a build that waits, and why they can't be read; raises nothing.

    Empty without a reason: it waits for nothing that the server tells.
    """
    if build.state != State.WAITING or lacks("unblock", build.pipeline):
        return [], ""
    # A failure too: a hundred viewers ask a silent server once.
    return shared(
        key_of("gates", build.pk, build.external_id), lambda: (_read(build), SHARED_SECONDS)
    )


def _read(build: Build) -> tuple[list[Gate], str]:
    try:
        admit(build.pipeline.server)
        client = client_for(build.pipeline.server)
        found = client.gates(build.pipeline.external_id, build.external_id)
    except ProviderError as error:
        return [], str(error)
    # Whoever writes the pipeline names the gate, and people decide by what they read.
    return [replace(gate, name=text(gate.name), message=text(gate.message)) for gate in found], ""


def gate_of(build: Build, gate_id: str) -> tuple[Gate | None, str]:
    """The gate of that id, if it is one of this build; else why there is none."""
    gates, error = gates_of(build)
    found = next((gate for gate in gates if gate.id == gate_id), None)
    return found, "" if found else error or "The build no longer waits there."


@dataclass(frozen=True)
class GatesShown:
    """What a build's page says of its gates. `key` changes when it has to be drawn anew."""

    waits: bool
    offers: Sequence[GateOffer] = ()
    error: str = ""
    cannot: str = ""

    @property
    def key(self) -> str:
        """A form that stays the same is not drawn again under the fingers of who fills it in."""
        shown = [(offer.gate, offer.decision.askable) for offer in self.offers]
        said = repr((self.waits, shown, self.error, self.cannot))
        return hashlib.sha256(said.encode()).hexdigest()[:16]


def gates_shown(build: Build, offers: Offers | None) -> GatesShown:
    """The gates of a build that waits, each with its form; no `offers` where nobody can act."""
    if build.state != State.WAITING or offers is None:
        return GatesShown(waits=False)
    gates, error = gates_of(build)
    return GatesShown(
        waits=True,
        offers=[offers.on_gate(build, gate, GateForm(gate)) for gate in gates],
        error=error,
        cannot=lacks("unblock", build.pipeline),
    )
