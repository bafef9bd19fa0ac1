"""PostgreSQL as the store uses it: connections, COPY, columns, types."""
