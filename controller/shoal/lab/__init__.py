"""The demo: a whole fleet of real processes on one machine, told as a story and then taken down.

The only code that starts `shoal serve` and agents by itself.
"""
