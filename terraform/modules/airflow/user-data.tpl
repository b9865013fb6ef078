#!/bin/bash
# What a host needs before Ansible can reach it: on AWS, the agents. Everything else is a role's work; nothing that matters stays on
# the host (state is in PostgreSQL, logs and DAGs are in S3), so there is no data volume.
# Runs at the first boot, as root, with cloud-init. May run again.
set -euo pipefail

${install_agents}