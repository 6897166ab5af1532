"""Python client of the controller's HTTP API: `with Client("http://host:8470") as shoal: …`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shoal.client.client import Client as Client

__all__ = ["Client"]


def __getattr__(name: str) -> Any:
    # Late, because httpx takes a third of a second to import and the child process that reads
    # foreign model files (onnxfile) lives in this package and needs none of it.
    if name == "Client":
        from shoal.client.client import Client  # noqa: PLC0415 - see above

        return Client
    raise AttributeError(f"module 'shoal.client' has no attribute {name!r}")
