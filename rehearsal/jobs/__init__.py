"""The job runs of the emulated EMR Serverless: each is real Spark in a container of its own, and ends with it."""
