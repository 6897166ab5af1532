"""The machine that variants are for, where it is not the one that searches."""

from dataclasses import dataclass
from typing import Final

_ARCHITECTURES: Final = {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64", "armv8": "aarch64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """`arch` as `uname -m` says it, `isa` sorted names of `shoal.contract.profile.ISA_FEATURES`."""

    arch: str
    isa: tuple[str, ...]


def architecture(word: str) -> str:
    """The one name of an architecture: `arm64` and `aarch64` are the same."""
    return _ARCHITECTURES.get(word.lower(), word.lower())
