"""A file of the DAG bundle, for tests."""
