"""A Spark job, for tests."""
