"""Generated messages and services of the device plane; regenerate with `make proto`."""
