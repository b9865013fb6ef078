"""Side-by-side ratios, each measured against its raw counterpart in the same run. Never part of the tests."""
