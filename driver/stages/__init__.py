"""The stages, in the order they run. Each is idempotent and can be run alone."""

from __future__ import annotations

from collections.abc import Callable

from driver.run import Run, Stage
from driver.stages import access, certificates, configuration, hosts, infrastructure, pipelines, verification

# environment, preflight and evidence frame every run (see conduct.py); these can be chosen with --only.
STAGES: dict[str, Callable[[Run, Stage], None]] = {
    "infrastructure": infrastructure.run,
    "hosts": hosts.run,
    "certificates": certificates.run,
    "configuration": configuration.run,
    "access": access.run,
    "pipelines": pipelines.run,
    "verification": verification.run,
}
