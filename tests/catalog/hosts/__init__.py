"""Stand-ins for repository hosts: real HTTP servers that speak the wire formats."""
