"""What a rollout is made of: frozen values only, no decisions and no IO."""
