"""Analysis of a source: which layers suffer when their numbers become coarse."""
