"""The real data that goes through the pipelines: where it comes from, and what must come out."""
