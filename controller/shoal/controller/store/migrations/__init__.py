"""Alembic migrations of the controller's database; applied when it is opened."""
