"""Passes for models of tables: selection of features, trimming of trees, trees taught to a net."""
