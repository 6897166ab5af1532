"""Passes: each turns a model into a model, driven by one frozen config."""
