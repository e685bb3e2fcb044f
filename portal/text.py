"""Other people's words, made to fit what both databases can hold.

PostgreSQL refuses NUL and halves of surrogate pairs, which vendors' answers, descriptors and forms
may hold; a row that can't be written for one odd character would be lost whole.
"""


def storable(text: str, limit: int) -> str:
    """The text without what can't be stored, cut at `limit` characters with an ellipsis."""
    clean = text.replace("\x00", "").encode(errors="replace").decode()
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
