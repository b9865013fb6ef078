"""The emulated AWS account of a rehearsal: moto's API server, mended where it differs from AWS.

One file per AWS service holds the mends of that service. They are written for one version of moto, because
they replace parts of it: `version.py` refuses any other.
"""
