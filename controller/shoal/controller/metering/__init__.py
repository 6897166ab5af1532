"""What the controller tells Prometheus; below this package nobody knows of it."""
