"""Parts of bench.compress: the judge, the peers, and the chain done by hand."""
