"""Baseline: records, their history, telemetry."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "records",
        sa.Column("kind", sa.String(), primary_key=True),
        sa.Column("namespace", sa.String(), primary_key=True),
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
    )
    op.create_table(
        "changes",
        sa.Column("version", sa.BigInteger(), primary_key=True),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("namespace", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
    )
    op.create_table(
        "telemetry_batches",
        sa.Column("device", sa.String(), primary_key=True),
        sa.Column("boot_id", sa.String(), primary_key=True),
        sa.Column("sequence", sa.BigInteger(), primary_key=True),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
    )
    op.create_index("telemetry_batches_received", "telemetry_batches", ["received_ms"])
    _telemetry_windows()


def downgrade() -> None:
    """Drop every table."""
    for table in ("telemetry_windows", "telemetry_batches", "changes", "records"):
        op.drop_table(table)


def _telemetry_windows() -> None:
    numbers = ("generation", "start_ms", "end_ms", "requests", "errors", "labelled", "correct")
    op.create_table(
        "telemetry_windows",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("device", "deployment", "variant")
        ),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in (*numbers, "rss_bytes")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("latency_ms", "classes")),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
    )
    op.create_index(
        "telemetry_windows_deployment_end", "telemetry_windows", ["deployment", "end_ms"]
    )
    op.create_index("telemetry_windows_end", "telemetry_windows", ["end_ms"])
    op.create_index("telemetry_windows_received", "telemetry_windows", ["received_ms"])
