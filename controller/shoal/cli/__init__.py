"""The operator's command line: one file per verb, each talking to `shoal.client` only."""
