"""Writing results: whole files or none."""

import os
import tempfile
from pathlib import Path

from batchsched.snapshot.errors import InputError


def check_writable(path: str) -> None:
    """See that the folder of an output file is there, before the work is done.

    Raises:
        InputError: It is not.
    """
    if path != "-" and not Path(path).parent.is_dir():
        raise InputError("cannot be written; name a file in an existing folder", source=path)


def write_whole(path: str, content: bytes) -> None:
    """Write a file so that nobody ever sees half of it; ``-`` is stdout.

    Raises:
        InputError: The place cannot be written to.
    """
    if path == "-":
        os.write(1, content)
        return
    target = Path(path)
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(content)  # a device or a pipe: nothing to replace
            return
        with tempfile.NamedTemporaryFile(
            dir=target.parent, prefix=f".{target.name}.", delete=False
        ) as file:
            file.write(content)
        os.chmod(file.name, 0o666 & ~_umask())  # noqa: PTH101 -- a name, not a Path
        Path(file.name).replace(target)
    except OSError as error:
        what = error.strerror or str(error)
        raise InputError(
            f"cannot be written: {what}; name a file in an existing folder", source=path
        ) from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
