"""The connector for databases: SQLite, and a real PostgreSQL server."""
