"""Where the controller keeps what it knows: records, telemetry and blobs behind three ports."""
