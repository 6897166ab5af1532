"""Slot links on disk: `slots/<namespace>.<name>/{current,previous}` point at blobs.

They say for people and tools what the journal says for the agent; each is moved in one rename, so
it always names a complete blob (I2).
"""

from pathlib import Path

from shoal.agent.core.ports import Disk
from shoal.contract.digest import Digest, hex_of


class SlotLinks:
    """The links of one device; `folder` and the blobs lie in the same state folder."""

    def __init__(self, disk: Disk, folder: Path) -> None:
        self._disk = disk
        self._folder = folder

    def point(self, deployment: str, current: Digest | None, previous: Digest | None) -> None:
        """Make both links say this; a deployment without either loses its folder."""
        folder = self._folder / deployment.replace("/", ".")
        changed = [
            self._move(folder / name, digest)
            for name, digest in (("previous", previous), ("current", current))
        ]
        if current is None and previous is None:
            self._disk.remove(folder)
        elif any(changed):
            self._disk.sync_directory(folder)

    def _move(self, link: Path, digest: Digest | None) -> bool:
        """Whether the link had to be moved."""
        wanted = None if digest is None else f"../../blobs/sha256/{hex_of(digest)}"
        if self._disk.target(link) == wanted:
            return False
        if wanted is None:
            self._disk.remove(link)
            return True
        fresh = link.with_name(f"{link.name}.new")
        self._disk.remove(fresh)
        self._disk.link(wanted, fresh)
        self._disk.rename(fresh, link)
        return True
