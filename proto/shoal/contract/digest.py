"""Content digests: `sha256:` and 64 lower-case hexadecimal digits, the only form anywhere."""

import hashlib
import re
from pathlib import Path
from typing import NewType

Digest = NewType("Digest", str)

_FORM = re.compile(r"sha256:[0-9a-f]{64}")
_READ_BYTES = 1 << 20


def parse(text: str) -> Digest:
    """The digest written in `text`.

    Raises:
        ValueError: `text` is not of the form `sha256:<64 hexadecimal digits>`.
    """
    if not _FORM.fullmatch(text):
        raise ValueError(f"{text!r} is not a digest of the form sha256:<64 hexadecimal digits>")
    return Digest(text)


def of_bytes(data: bytes) -> Digest:
    """The digest of `data`."""
    return Digest(f"sha256:{hashlib.sha256(data).hexdigest()}")


def of_file(path: Path) -> Digest:
    """The digest of the file at `path`, read once in bounded memory."""
    state = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            state.update(block)
    return Digest(f"sha256:{state.hexdigest()}")


def hex_of(digest: Digest) -> str:
    """The 64 hexadecimal digits alone: the name of the blob's file."""
    return digest.removeprefix("sha256:")


def short(digest: Digest) -> str:
    """Twelve digits for people; never a key."""
    return hex_of(digest)[:12]
