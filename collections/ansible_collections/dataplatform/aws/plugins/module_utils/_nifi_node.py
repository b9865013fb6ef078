# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How one NiFi node is. Private to this collection; imports nothing from ansible."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.dataplatform.aws.plugins.module_utils import _dn, _nifi, _pki

with contextlib.suppress(ImportError):  # _pki.HAS_CRYPTOGRAPHY says so
    from cryptography import x509


def info(login: _nifi.Login, management_url: str) -> dict[str, t.Any]:
    """Health, version, identity, cluster and served certificate; what could not be had is empty and named in problem.

    :raises NifiError: files of the login cannot be used
    """
    result: dict[str, t.Any] = {"version": "", "identity": "", "cluster": {}, "certificate": {}}
    problems = []
    status, text = _nifi.health(management_url, login.timeout)
    if status != 200:
        problems.append(f"{management_url} " + (f"answers {status}: {text}" if status else f"does not answer: {text}"))
    with _nifi.Client(login, workers=1) as client:
        try:
            result["certificate"] = _pki.describe(x509.load_der_x509_certificate(_nifi.served_certificate(login)))
            result["version"] = client.get("/flow/about")["about"]["version"]
            result["identity"] = client.get("/flow/current-user")["identity"]
            result["cluster"] = cluster(client)
        except (_nifi.NifiError, _dn.DnError, ValueError) as error:
            problems.append(str(error))
    return {**result, "healthy": not problems, "problem": "; ".join(problems)}


def cluster(client: _nifi.Client) -> dict[str, t.Any]:
    """The node's view of its cluster; a single node counts as connected to itself."""
    summary = client.get("/flow/cluster/summary")["clusterSummary"]
    if not summary["clustered"]:
        return {"clustered": False, "connected": True, "connected_nodes": 1, "total_nodes": 1, "nodes": []}
    return {
        "clustered": True,
        "connected": summary["connectedToCluster"],
        "connected_nodes": summary["connectedNodeCount"],
        "total_nodes": summary["totalNodeCount"],
        "nodes": nodes(client),
    }


def nodes(client: _nifi.Client) -> list[dict[str, t.Any]]:
    """The cluster's nodes; none when the identity may not see them, or no node coordinates yet."""
    try:
        found = client.get("/controller/cluster")["cluster"]["nodes"]
    except _nifi.Refused:
        return []
    return [
        {
            "id": node["nodeId"],
            "address": f"{node['address']}:{node['apiPort']}",
            "status": node["status"],
            "roles": sorted(node.get("roles") or ()),
        }
        for node in sorted(found, key=lambda node: (node["address"], node["apiPort"]))
    ]
