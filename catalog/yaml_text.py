"""JSON data as YAML for people to read. Pure.

By libyaml where PyYAML has it: a definition of some megabytes would keep the pure emitter busy for
many seconds. Texts of several lines stand as they were written, below a "|".
"""

from typing import Any

import yaml

_Base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_Base):
    """SafeDumper with readable texts, and without anchors for what merely happens to be equal."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: Any, value: str) -> Any:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def yaml_text(value: Any) -> str:
    """Reading it gives `value` again, for data without cycles."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100))
