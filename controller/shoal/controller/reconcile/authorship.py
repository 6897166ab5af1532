"""Who decides: the version of this program, and a digest of the sources that its decisions hang on.

Two builds with one version may decide differently, and two versions alike. A kept decision names
the code that took it, so that a replay can tell a change of the program from a mistake in it.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import shoal.contract
import shoal.controller.domain
import shoal.controller.gates
import shoal.controller.planning
from shoal.controller.deciding import recording
from shoal.controller.deciding.recording import Author

_PACKAGES = (
    shoal.contract,
    shoal.controller.domain,
    shoal.controller.gates,
    shoal.controller.planning,
)


def author(version: str) -> Author:
    """This program. Every file is read: to be asked once, at the start."""
    digest = hashlib.sha256()
    for name, path in _sources():
        digest.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return Author(version=version, code=f"sha256:{digest.hexdigest()}")


def _sources() -> Iterator[tuple[str, Path]]:
    """Each file under a name that does not depend on where the program is installed."""
    for package in _PACKAGES:
        folder = Path(package.__path__[0])
        for path in sorted(folder.rglob("*.py")):
            yield f"{package.__name__}/{path.relative_to(folder).as_posix()}", path
    yield recording.__name__, Path(recording.__file__)
