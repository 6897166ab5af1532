"""The tables. SQLModel states them; reading and writing is SQLAlchemy Core in `sqlite`.

Times and versions are BigInteger: a plain integer column overflows with milliseconds on PostgreSQL.
JSON is kept as text, exactly as it was checked on the way in.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Text
from sqlmodel import Field, SQLModel

metadata: MetaData = SQLModel.metadata


def _big(*, primary_key: bool = False) -> Column[int]:
    return Column(BigInteger, primary_key=primary_key, nullable=False)


def _text() -> Column[str]:
    return Column(Text, nullable=False)


class RecordRow(SQLModel, table=True):
    """One live record."""

    __tablename__ = "records"

    kind: str = Field(primary_key=True)
    namespace: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    uid: str
    version: int = Field(sa_column=_big())
    data: str = Field(sa_column=_text())


class ChangeRow(SQLModel, table=True):
    """One write of the bounded history; the newest is never dropped, it holds the counter.

    `type` is create, put or delete.
    """

    __tablename__ = "changes"

    version: int = Field(sa_column=_big(primary_key=True))
    type: str
    kind: str
    namespace: str
    name: str
    uid: str
    data: str = Field(sa_column=_text())


class ActRow(SQLModel, table=True):
    """One entry of the audit log; rows are only ever added."""

    __tablename__ = "acts"

    sequence: int = Field(sa_column=_big(primary_key=True))
    version: int = Field(sa_column=_big())
    time_ms: int = Field(sa_column=_big())
    user: str
    verb: str
    kind: str
    namespace: str
    name: str
    detail: str = Field(sa_column=_text())
    digest: str


class BatchRow(SQLModel, table=True):
    """The key of a telemetry batch that was kept."""

    __tablename__ = "telemetry_batches"
    __table_args__ = (Index("telemetry_batches_received", "received_ms"),)

    device: str = Field(primary_key=True)
    boot_id: str = Field(primary_key=True)
    sequence: int = Field(sa_column=_big(primary_key=True))
    received_ms: int = Field(sa_column=_big())


class WindowRow(SQLModel, table=True):
    """One telemetry window; `latency_ms`, `classes` and `more`, the other fields, are JSON."""

    __tablename__ = "telemetry_windows"
    __table_args__ = (
        Index("telemetry_windows_deployment_end", "deployment", "end_ms"),
        Index("telemetry_windows_end", "end_ms"),
        Index("telemetry_windows_received", "received_ms"),
    )

    # SQLite counts up by itself in a column of exactly the type INTEGER only.
    id: int = Field(
        sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    )
    device: str
    deployment: str
    variant: str
    generation: int = Field(sa_column=_big())
    start_ms: int = Field(sa_column=_big())
    end_ms: int = Field(sa_column=_big())
    requests: int = Field(sa_column=_big())
    errors: int = Field(sa_column=_big())
    labelled: int = Field(sa_column=_big())
    correct: int = Field(sa_column=_big())
    rss_bytes: int = Field(sa_column=_big())
    latency_ms: str = Field(sa_column=_text())
    classes: str = Field(sa_column=_text())
    received_ms: int = Field(sa_column=_big())
    more: str = Field(sa_column=Column(Text, nullable=False, server_default="{}"))


class EpochRow(SQLModel, table=True):
    """When the windows of a deployment began to be tallied apart."""

    __tablename__ = "tally_epochs"

    deployment: str = Field(primary_key=True)
    epoch_ms: int = Field(sa_column=_big(primary_key=True))


class TallyRow(SQLModel, table=True):
    """What one variant did on one device in one epoch; `data` is JSON.

    `version` grows over the whole table with every change.
    """

    __tablename__ = "tallies"
    __table_args__ = (Index("tallies_version", "deployment", "version"),)

    deployment: str = Field(primary_key=True)
    epoch_ms: int = Field(sa_column=_big(primary_key=True))
    device: str = Field(primary_key=True)
    variant: str = Field(primary_key=True)
    version: int = Field(sa_column=_big())
    data: str = Field(sa_column=_text())


class DecisionRow(SQLModel, table=True):
    """One decision of a rollout; `facts` is JSON, `body` compressed inputs while they are kept."""

    __tablename__ = "decisions"

    deployment: str = Field(primary_key=True)
    number: int = Field(sa_column=_big(primary_key=True))
    facts: str = Field(sa_column=_text())
    body: bytes | None = Field(sa_column=Column(LargeBinary, nullable=True))
