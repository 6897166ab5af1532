"""The operator plane: HTTP/JSON over the store, one schema for people and programs."""
