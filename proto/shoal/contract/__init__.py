"""What every side of Shoal agrees on: values, limits, names, and their form on the wire.

Everything here is pure Python without third-party imports, with two exceptions that only device
links import: `codec`, which maps these values to the generated messages of `shoal.v1`, and `mqtt`,
the one MQTT client (paho) of both sides.
"""
