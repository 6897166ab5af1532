"""From evidence to verdicts, one module for each source of evidence.

`ballots` judges golden answers, `traffic` what devices counted, `incidents` what went wrong,
`queries` what Prometheus answered; `sides` says which devices are compared, `readings` what one
device says of one gate, `spending` what share of alpha a test has, `captions` says it in words, and
`latching` what stays from pass to pass.
"""
