# Copyright: the data platform provisioner's authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pushing records through the ingest edge: whose certificate may, and what is refused before any record is read."""

from __future__ import annotations

from ansible_collections.dataplatform.aws.plugins.module_utils._verification._checks import CheckFailed, Outcome
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._http import Endpoint, KeyPair
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._refusals import edge_reason, seen

# Who pushes records unless the variable `edge_ingest_roles` says otherwise.
ROLE = "producer"
# No flow listens here: the listener's own 404 shows that the request came through, and no record reaches the lake.
PATH = "/verification"
PASSED = (200, 202, 204, 404)

SPOOFED = {
    "dashes": (("X-Producer-Subject", "{dn}"), ("X-Amzn-Mtls-Clientcert-Subject", "{dn}")),
    "underscores": (("X_Producer_Subject", "{dn}"), ("X_Amzn_Mtls_Clientcert_Subject", "{dn}")),
}


def check_pushes(endpoint: Endpoint, pair: KeyPair) -> Outcome:
    """A producer's request passes the edge and reaches the listener."""
    answer = endpoint.request("POST", PATH, pair=pair, body={})
    if edge_reason(answer):
        raise CheckFailed(seen(answer), "compare the rules of access.yml with the edge's roles.list")
    if answer.status not in PASSED:
        raise CheckFailed(f"HTTP {answer.status}", "no flow listens: run `--only pipelines`")
    return Outcome(f"passes balancer and edge (HTTP {answer.status} by the listener)")
