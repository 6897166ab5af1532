"""Reads a fitted estimator from a file that nobody vouches for.

A `.skops` file is a schema and arrays: its types are listed before anything is built, and one that
is neither skops' nor Shoal's own is refused by name. A pickle runs code as it is read, so that
happens only where the user said so. What was built is checked by `bounds` before it may predict.
"""

import warnings
import zipfile
from pathlib import Path
from typing import Any, Final, Never

from shoal.compressor import errors
from shoal.compressor.sources.estimators import bounds, trusted
from shoal.compressor.sources.origin import Origin, OriginFormat
from shoal.contract.problem import InvalidError
from shoal.contract.reason import Reason

_NAMES_SHOWN: Final = 3
_SAVE_AGAIN: Final = "save it again where it was trained: skops.io.dump(model, 'model.skops')"


def read(origin: Origin) -> Any:
    """The fitted estimator at `origin.location`.

    Raises:
        InvalidError: what is wrong with the file, and what to do.
    """
    path = Path(origin.location)
    with warnings.catch_warnings():
        # One version of scikit-learn reading what another wrote is the case that parity is for.
        warnings.simplefilter("ignore")
        if origin.format is OriginFormat.PICKLE:
            estimator = _read_pickle(path, trusted_by_user=origin.trust_pickle)
        else:
            estimator = _read_skops(path, origin.trusted)
    bounds.secure(estimator, path.name)
    _check_fitted(estimator, path)
    return estimator


def _read_skops(path: Path, also_trusted: tuple[str, ...]) -> Any:
    from skops import io  # noqa: PLC0415 - only where such a file is read

    if not zipfile.is_zipfile(path):
        raise _refuse(
            Reason.TRUNCATED_MODEL,
            f"{path.name} is no .skops file, or only the beginning of one",
            "copy it again, or save it again with skops.io.dump",
        )
    try:
        foreign = set(io.get_untrusted_types(file=path)) - trusted.TYPES - set(also_trusted)
    except Exception as error:  # noqa: BLE001 - a damaged archive may break its reader in any way
        _refuse_damaged(path, error)
    if foreign:
        _refuse_types(path, sorted(foreign))
    try:
        return io.load(path, trusted=sorted(trusted.TYPES | set(also_trusted)))
    except Exception as error:  # noqa: BLE001
        _refuse_damaged(path, error)


def _refuse_types(path: Path, names: list[str]) -> Never:
    shown = ", ".join(repr(name) for name in names[:_NAMES_SHOWN])
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    flags = " ".join(f"--trust-type {name}" for name in names)
    kinds = "a type" if len(names) == 1 else "types"
    raise _refuse(
        Reason.UNSAFE_FORMAT,
        f"{path.name} holds {kinds} that Shoal does not trust: {shown}{more}",
        f"if you wrote this file, or know who did, admit it with {flags}",
    )


def _read_pickle(path: Path, *, trusted_by_user: bool) -> Any:
    if not trusted_by_user:
        raise _refuse(
            Reason.UNSAFE_FORMAT,
            f"{path.name} is a pickle: reading it would run whatever code it carries",
            f"{_SAVE_AGAIN}; or, if the file is your own, allow it with --trust-pickle",
        )
    import joblib  # noqa: PLC0415 - only where a pickle is read

    try:
        return joblib.load(path)
    except Exception as error:  # noqa: BLE001 - a pickle may raise anything
        _refuse_damaged(path, error)


def _check_fitted(estimator: Any, path: Path) -> None:
    from sklearn.base import BaseEstimator  # noqa: PLC0415
    from sklearn.exceptions import NotFittedError  # noqa: PLC0415
    from sklearn.utils.validation import check_is_fitted  # noqa: PLC0415

    if not isinstance(estimator, BaseEstimator):
        raise _refuse(
            Reason.INVALID,
            f"{path.name} holds a {type(estimator).__name__}, which is no scikit-learn estimator",
            "save the fitted estimator or pipeline itself",
        )
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        raise _refuse(
            Reason.INVALID,
            f"{path.name} holds a {type(estimator).__name__} that was never fitted",
            "call fit before saving it",
        ) from None
    except Exception as error:  # noqa: BLE001 - attributes of the wrong kind break the check itself
        _refuse_damaged(path, error)


def _refuse_damaged(path: Path, error: Exception) -> Never:
    """Says whose version wrote the file, which is what most failures of reading come from."""
    import sklearn  # noqa: PLC0415

    what = (str(error).splitlines() or [""])[0][:300] or type(error).__name__
    raise _refuse(
        Reason.LOAD_FAILED,
        f"scikit-learn {sklearn.__version__} cannot read {path.name}: {what}",
        f"was it written by another version of scikit-learn? {_SAVE_AGAIN}, with version "
        f"{sklearn.__version__}; or convert it to ONNX there with skl2onnx",
    ) from None


def _refuse(reason: Reason, message: str, hint: str) -> InvalidError:
    return errors.invalid(reason, message, field="MODEL", hint=hint)
