"""The kinds of the API by every name that people give them."""

from dataclasses import dataclass
from difflib import get_close_matches

from shoal.contract.problem import InvalidError, Problem
from shoal.contract.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind: its name in manifests, in addresses, and the short names of the command line."""

    name: str
    plural: str
    short: tuple[str, ...]


DEVICE = Kind(name="Device", plural="devices", short=("dev",))
DEVICE_PROFILE = Kind(name="DeviceProfile", plural="deviceprofiles", short=("profile", "profiles"))
MODEL = Kind(name="Model", plural="models", short=("mo",))
VARIANT = Kind(name="Variant", plural="variants", short=("var",))
DEPLOYMENT = Kind(name="Deployment", plural="deployments", short=("deploy",))
EVENT = Kind(name="Event", plural="events", short=("ev",))

KINDS = (DEVICE, DEVICE_PROFILE, MODEL, VARIANT, DEPLOYMENT, EVENT)

_BY_NAME = {name: kind for kind in KINDS for name in (kind.name.lower(), kind.plural, *kind.short)}


def named(text: str) -> Kind:
    """The kind called `text`: singular, plural or short, in any case.

    Raises:
        InvalidError: no such kind; says the nearest one.
    """
    kind = _BY_NAME.get(text.lower())
    if kind is not None:
        return kind
    near = get_close_matches(text.lower(), _BY_NAME, n=1, cutoff=0.7)
    hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(k.plural for k in KINDS)}"
    raise InvalidError(
        Problem(reason=Reason.UNKNOWN_KIND, message=f"there is no kind {text!r}", hint=hint)
    )
