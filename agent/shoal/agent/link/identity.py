"""Who this device is: what enrolment gave it, in the state folder.

`identity.json` is written last, so its presence says that key and certificates are whole.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from shoal.contract import jsonform
from shoal.contract.problem import FailedError, NotFoundError, Problem
from shoal.contract.reason import Reason

KEY = "identity.key"
CERTIFICATE = "certificate.pem"
AUTHORITY = "authority.pem"
_FILE = "identity.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The device's name, its secret, and where controller (`server`) and broker are.

    Both are `HOST:PORT`; `broker` is empty where there is none.
    """

    device: str
    secret: str
    server: str
    broker: str
    namespace: str


def exists(state: Path) -> bool:
    """Whether the device in this state folder is enrolled."""
    return (state / _FILE).exists()


def load(state: Path) -> Identity:
    """The identity in a state folder.

    Raises:
        NotFoundError: the device is not enrolled.
        FailedError: the file cannot be read.
    """
    path = state / _FILE
    if not exists(state):
        raise NotFoundError(
            Problem(
                reason=Reason.NOT_FOUND,
                message=f"this device is not enrolled: there is no {path}",
                hint="shoal-agent enroll --server HOST:PORT --token TOKEN",
            )
        )
    try:
        return jsonform.from_json(Identity, json.loads(path.read_text()))
    except (OSError, ValueError) as error:
        raise FailedError(
            Problem(reason=Reason.INVALID, message=f"{path} cannot be read: {error}")
        ) from None


def save(state: Path, identity: Identity) -> None:
    """Keep the identity, readable by us alone."""
    text = json.dumps(jsonform.to_json(identity), indent=2)
    write_private(state / _FILE, f"{text}\n".encode())


def write_private(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, durable on return, never readable by others."""
    partial = path.with_name(f"{path.name}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
