"""Staged variants: a graph cut into modules that are loaded, run and released one after another."""
