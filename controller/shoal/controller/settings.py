"""What `shoal serve` is told: options over a configuration file over defaults."""

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from shoal.contract import units
from shoal.contract.problem import InvalidError, NotFoundError, Problem
from shoal.contract.reason import Reason

LISTEN = "127.0.0.1:8470"
LISTEN_DEVICES = "127.0.0.1:8471"
MQTT = "auto"
MQTT_LISTEN = "127.0.0.1:1883"
_SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that shapes one controller; addresses are HOST:PORT, port 0 is a free one.

    `retention_s` is how long Variants and blobs stay that nothing refers to, and folders of
    searches that nothing used; `root_path` is the path under which a proxy serves the controller,
    such as `/shoal`, or empty. `prometheus` is the URL that gates with a query ask; empty where
    there is none.
    """

    data: Path
    database: Path
    listen: str = LISTEN
    listen_devices: str = LISTEN_DEVICES
    mqtt: str = MQTT
    mqtt_listen: str = MQTT_LISTEN
    telemetry_window_s: float = 10.0
    heartbeat_s: float = 30.0
    retention_s: float = 7 * 86_400.0
    root_path: str = ""
    prometheus: str = ""


def _duration(text: str) -> str:
    if not units.parse_duration_s(text) > 0:
        raise ValueError(f"{text!r} is not longer than 0s")
    return text


Duration = Annotated[str, AfterValidator(_duration)]


def _root_path(text: str) -> str:
    path = text.rstrip("/")
    if path and not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", path):
        raise ValueError(f"{text!r} is not a path such as /shoal")
    return path


RootPath = Annotated[str, AfterValidator(_root_path)]


def _prometheus(text: str) -> str:
    if text and not re.match(r"https?://", text):
        raise ValueError(f"{text!r} is not the URL of a Prometheus, such as http://127.0.0.1:9090")
    return text


PrometheusUrl = Annotated[str, AfterValidator(_prometheus)]


class ConfigFile(BaseModel):
    """The configuration file: the options of `shoal serve`, and times that it alone holds."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, alias_generator=to_camel, validate_by_alias=True
    )

    data: str | None = None
    store: str | None = None
    listen: str = LISTEN
    listen_devices: str = LISTEN_DEVICES
    mqtt: str = MQTT
    mqtt_listen: str = MQTT_LISTEN
    telemetry_window: Duration = "10s"
    heartbeat: Duration = "30s"
    retention: Duration = "7d"
    root_path: RootPath = ""
    prometheus: PrometheusUrl = ""


def default_data() -> Path:
    """Where a controller keeps its data unless told otherwise (XDG base directories)."""
    root = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(root) / "shoal"


def settle(config: Path | None, options: Mapping[str, str | None]) -> Settings:
    """The settings of `options` (None: not given) over those of the file `config`.

    Raises:
        NotFoundError: there is no such file.
        InvalidError: the file or a value in it is wrong.
    """
    given = {to_camel(name): value for name, value in options.items() if value is not None}
    merged = _check({**(_read(config) if config else {}), **given}, config)
    data = Path(merged.data).expanduser() if merged.data else default_data()
    return Settings(
        data=data,
        database=_database(merged.store, data),
        listen=merged.listen,
        listen_devices=merged.listen_devices,
        mqtt=merged.mqtt,
        mqtt_listen=merged.mqtt_listen,
        telemetry_window_s=units.parse_duration_s(merged.telemetry_window),
        heartbeat_s=units.parse_duration_s(merged.heartbeat),
        retention_s=units.parse_duration_s(merged.retention),
        root_path=merged.root_path,
        prometheus=merged.prometheus,
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise NotFoundError(
            Problem(reason=Reason.NOT_FOUND, message=f"{path} does not exist", field="--config")
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _invalid(f"{path} cannot be read: {error}", "--config") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise _invalid(f"{path} is not a mapping of names to values", "--config")
    return document


def _check(values: Mapping[str, Any], config: Path | None) -> ConfigFile:
    try:
        return ConfigFile.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    name = str(first["loc"][0])
    if first["type"] != "extra_forbidden":
        raise _invalid(f"{first['msg']}, not {first['input']!r}", name, str(config))
    known = [to_camel(field) for field in ConfigFile.model_fields]
    near = difflib.get_close_matches(name, known, n=1)
    raise InvalidError(
        Problem(
            reason=Reason.UNKNOWN_FIELD,
            message=f"the configuration has no field {name}",
            field=name,
            location=str(config),
            hint=f"did you mean {near[0]}?" if near else f"one of {', '.join(known)}",
        )
    )


def _database(store: str | None, data: Path) -> Path:
    if store is None:
        return data / "shoal.db"
    if store.startswith(_SQLITE) and len(store) > len(_SQLITE):
        return Path(store.removeprefix(_SQLITE))
    if store.startswith(("postgres://", "postgresql")):
        raise InvalidError(
            Problem(
                reason=Reason.NOT_BUILT_YET,
                message="a PostgreSQL store is not built yet",
                field="--store",
                hint="leave --store out to use SQLite in the data directory",
            )
        )
    raise _invalid(f"{store!r} is not a store; write sqlite:////path/to/shoal.db", "--store")


def _invalid(message: str, field: str, location: str | None = None) -> InvalidError:
    return InvalidError(
        Problem(reason=Reason.INVALID, message=message, field=field, location=location)
    )
