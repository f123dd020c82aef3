"""What the user gets when the input is wrong: one line that says where, what, and what to do."""

SHOWN_CHARACTERS_MAX = 60


def shortened(text: str) -> str:
    """A value of the user's, as long as it takes to recognise it."""
    if len(text) > SHOWN_CHARACTERS_MAX:
        text = text[: SHOWN_CHARACTERS_MAX - 3] + "..."
    return "".join(character if character.isprintable() else "?" for character in text)


class InputError(Exception):
    """Bad input: a file, an object or an option that cannot be used.

    Args:
        what: What is wrong and what to do about it.
        source: The file (or ``-``) it stands in.
        where: The object, as ``Kind namespace/name``.
        field: The path of the field inside the object, as ``spec.containers[0].resources``.
    """

    def __init__(
        self,
        what: str,
        *,
        source: str | None = None,
        where: str | None = None,
        field: str | None = None,
    ) -> None:
        """Join the known parts to one line."""
        self.what, self.source, self.where, self.field = what, source, where, field
        parts = [part for part in (source, where, field) if part]
        super().__init__(": ".join([*parts, " ".join(what.split())]))
