"""The device plane: one transport-neutral core, served over gRPC and over MQTT."""
