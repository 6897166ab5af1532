"""The agent's decisions: pure, without asyncio and without IO."""
