"""Who did what: the audit log's values, and the chain that shows when an entry was changed.

Entries are only ever appended. Each carries the digest of itself and of the one before it, so that
whoever has noted the newest digest elsewhere can tell later that nothing before it was touched.
"""

import hashlib
import json
from dataclasses import asdict, dataclass

FIRST = "sha256:" + "0" * 64  # what stands before the first entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One thing that `user` did to a resource; `time_ms` is UTC milliseconds since the epoch.

    `verb` is a word such as apply, delete or pause, `detail` what else a reader wants to know.
    """

    time_ms: int
    user: str
    verb: str
    kind: str
    namespace: str
    name: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An act as it was kept: the `sequence`-th, with the store's version right after it."""

    sequence: int
    version: int
    act: Act
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActQuery:
    """Which entries: older than `before` (None: from the newest), at most `limit`.

    Each other part that is not empty must be equal.
    """

    before: int | None = None
    limit: int = 100
    user: str = ""
    verb: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""

    def equal(self) -> dict[str, str]:
        """The parts that must be equal, by name."""
        parts = {
            "user": self.user,
            "verb": self.verb,
            "kind": self.kind,
            "namespace": self.namespace,
            "name": self.name,
        }
        return {name: text for name, text in parts.items() if text}

    def fits(self, entry: Entry) -> bool:
        """Whether `entry` is one of them, but for the limit."""
        if self.before is not None and entry.sequence >= self.before:
            return False
        return all(getattr(entry.act, name) == text for name, text in self.equal().items())


def chained(act: Act, version: int, last: Entry | None) -> Entry:
    """The entry of `act` after `last` (None: it is the first one)."""
    sequence = 1 if last is None else last.sequence + 1
    before = FIRST if last is None else last.digest
    text = json.dumps([before, sequence, version, asdict(act)], sort_keys=True)
    digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    return Entry(sequence=sequence, version=version, act=act, digest=digest)


def follows(entry: Entry, before: Entry | None) -> bool:
    """Whether `entry` is as it was kept right after `before` (None: as the first one)."""
    return chained(entry.act, entry.version, before) == entry
