"""Who it is that runs a command on the server, as its operating system knows them."""

import getpass


def operator() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "an account without a name"
