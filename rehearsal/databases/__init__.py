"""The databases behind the emulated RDS: a real PostgreSQL in a container for every DB instance that runs."""
