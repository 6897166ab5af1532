"""The controller: API, store, reconcile loop and device links in one asyncio process."""
