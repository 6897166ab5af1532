"""The kinds that people and Shoal write: the one schema behind the API, the CLI and the docs."""
