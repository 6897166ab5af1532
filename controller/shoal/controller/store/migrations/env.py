"""Runs migrations on the connection that `database` hands over."""

from alembic import context

from shoal.controller.store import tables

context.configure(
    connection=context.config.attributes["connection"], target_metadata=tables.metadata
)
with context.begin_transaction():
    context.run_migrations()
