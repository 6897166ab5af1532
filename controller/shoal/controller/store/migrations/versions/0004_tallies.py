"""Tallies of live evidence, and the newer fields of telemetry windows."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables and the column."""
    op.add_column(
        "telemetry_windows", sa.Column("more", sa.Text(), nullable=False, server_default="{}")
    )
    op.create_table(
        "tally_epochs",
        sa.Column("deployment", sa.String(), primary_key=True),
        sa.Column("epoch_ms", sa.BigInteger(), primary_key=True),
    )
    op.create_table(
        "tallies",
        sa.Column("deployment", sa.String(), primary_key=True),
        sa.Column("epoch_ms", sa.BigInteger(), primary_key=True),
        sa.Column("device", sa.String(), primary_key=True),
        sa.Column("variant", sa.String(), primary_key=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
    )
    op.create_index("tallies_version", "tallies", ["deployment", "version"])


def downgrade() -> None:
    """Drop them."""
    for table in ("tallies", "tally_epochs"):
        op.drop_table(table)
    op.drop_column("telemetry_windows", "more")
