"""What every side of Shoal agrees on: values, limits, names, and their form on the wire.

Everything here is pure Python without third-party imports, except `codec`, which maps these values
to the generated messages of `shoal.v1` and is imported only by device links.
"""
