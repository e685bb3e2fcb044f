"""Documentation that lies beside a descriptor: read by its source, shown sanitised."""

from catalog.docs.reading import read_docs

__all__ = ["read_docs"]
