"""How a device reaches its controller: enrolment, and the Link port over gRPC, MQTT or both."""
