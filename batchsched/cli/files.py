"""Files, folders and stdin to a Snapshot: the only place of the command line that opens anything.

Knows paths, gzip and where bytes come from; what the bytes mean is `snapshot.read`'s business.
"""

import gzip
import hashlib
import os
import sys
import zlib
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from batchsched.daemon.collection import uncollected
from batchsched.snapshot.documents import documents
from batchsched.snapshot.errors import InputError
from batchsched.snapshot.read import read
from batchsched.snapshot.snapshot import Snapshot

INPUT_BYTES_MAX = 2 * 1024**3
"""Of one file, packed or unpacked. 100,000 pods with everything that kubectl prints are 0.9 GB."""

_GZIP = b"\x1f\x8b"
_SUFFIXES = (".json", ".yaml", ".yml", ".json.gz", ".yaml.gz", ".yml.gz")


def load(paths: Sequence[str]) -> tuple[Snapshot, str]:
    """Read the snapshot in these files and folders.

    Args:
        paths: Files, folders (their JSON and YAML files, at any depth, in sorted order), or ``-``.

    Returns:
        The snapshot, and the sha256 (hex) of the bytes of all files as they are, in order.

    Raises:
        InputError: for anything that cannot be read or is no snapshot.
    """
    if not paths:
        raise InputError("no snapshot was named; give files, folders, or - for standard input")
    digest = hashlib.sha256()

    def contents() -> Iterator[tuple[str, bytes]]:
        for name in _names(paths):
            data = _bytes(name)
            digest.update(data)
            yield name, _unpacked(name, data)

    with uncollected(lasting=True):
        return read(contents()), digest.hexdigest()


def documents_of(name: str) -> list[Any]:
    """The documents in one file that is no snapshot, as plain values.

    Raises:
        InputError: It cannot be read, or is neither JSON nor YAML.
    """
    try:
        return list(documents(_unpacked(name, _bytes(name))))
    except InputError as error:
        raise error if error.source else InputError(error.what, source=name) from None


def _names(paths: Sequence[str]) -> Iterator[str]:
    """Every file to read, folders opened up."""
    for path in paths:
        if path == "-" or not Path(path).is_dir():
            yield path
            continue
        found = list(_inside(path))
        if not found:
            raise InputError(
                "this folder holds no .json, .yaml or .yml file (or .gz of one)", source=path
            )
        yield from found


def _inside(folder: str) -> Iterator[str]:
    """The JSON and YAML files below a folder; hidden ones are left alone, links to folders too."""

    def refuse(error: OSError) -> None:
        raise InputError(f"cannot be read: {error.strerror}", source=str(error.filename)) from None

    for root, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = os.path.join(root, name)  # noqa: PTH118 -- names as the user wrote them, ./ included
            if (
                name.lower().endswith(_SUFFIXES)
                and not name.startswith(".")
                and Path(path).is_file()
            ):
                yield path


def _bytes(name: str) -> bytes:
    """All bytes of one file or of standard input."""
    try:
        if name == "-":
            data = sys.stdin.buffer.read(INPUT_BYTES_MAX + 1)
        else:
            with open(name, "rb") as file:  # noqa: PTH123 -- a name with NUL must be an OSError or ValueError
                data = file.read(INPUT_BYTES_MAX + 1)
    except (OSError, ValueError, AttributeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise InputError(f"cannot be read: {reason}", source=name) from None
    return _limited(name, data)


def _unpacked(name: str, data: bytes) -> bytes:
    """The contents, if the bytes are gzip's."""
    if not data.startswith(_GZIP):
        return data
    try:
        with gzip.open(BytesIO(data)) as file:
            return _limited(name, file.read(INPUT_BYTES_MAX + 1))
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"broken gzip: {error}; was it cut off?", source=name) from None


def _limited(name: str, data: bytes) -> bytes:
    """The bytes, if they are not too many."""
    if len(data) > INPUT_BYTES_MAX:
        raise InputError(
            f"larger than {INPUT_BYTES_MAX // 1024**3} GiB; split it into files", source=name
        )
    return data
