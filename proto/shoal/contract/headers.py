"""Metadata keys of the device plane's gRPC calls."""

DEVICE = "shoal-device"  # the caller, on every call but Enrol
SECRET = "shoal-secret"  # noqa: S105 - the key's name; its value proves who the caller is
PROBLEM = "shoal-problem-bin"  # trailer: the JSON of a Problem, UTF-8
RETRY_AFTER = "shoal-retry-after-s"  # trailer: do not call again earlier than this

# Header of the operator plane's HTTP requests.
USER = "Shoal-User"  # who asks, as the program that asks says
