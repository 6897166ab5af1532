"""The forms that texts in paths, queries and headers have, and how they are told to people."""

from collections.abc import Mapping

NAME = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
CALLER = "^[A-Za-z0-9._@+-]{1,64}$"
DIGEST = "^sha256:[0-9a-f]{64}$"

MEANT: Mapping[str, str] = {
    NAME: "a name of lower-case letters, digits and inner hyphens",
    CALLER: "a name of at most 64 letters, digits and the signs . _ @ + -",
    DIGEST: "a digest: sha256: and 64 hexadecimal digits",
}
