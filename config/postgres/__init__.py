"""Django's engine for PostgreSQL, but for how it asks whether a connection still works."""
