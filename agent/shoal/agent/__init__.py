"""The agent of Shoal: keeps the assigned model running on one device, whatever happens."""
