"""What an administrator wrote into a server's options, which may have any shape."""

from pipelines.providers.base import ServerConfig
from pipelines.providers.errors import Misconfigured


def names(server: ServerConfig, option: str, what: str) -> list[str]:
    """An option that is a list of names, empty where it is not set. Raises Misconfigured."""
    value = server.options.get(option, [])
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise Misconfigured(f'The option "{option}" is a list of {what}.')
    return value
