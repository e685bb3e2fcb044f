"""SCIM 2.0 (RFC 7643, RFC 7644): the company's directory tells who is here and who has left."""
