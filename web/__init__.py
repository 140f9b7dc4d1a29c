"""Web: pages, live updates and the REST API."""
