"""Scores: what a metric reads, what it makes of rows, and how sure one may be of it."""
