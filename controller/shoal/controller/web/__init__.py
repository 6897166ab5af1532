"""The dashboard: server-rendered pages with live updates, nothing fetched from elsewhere."""
