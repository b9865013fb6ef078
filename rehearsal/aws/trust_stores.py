"""Elastic Load Balancing trust stores, which moto lacks.

A trust store holds a copy of its CA bundle and of each revocation list, made when they are set: a later change of
the S3 object does not reach it.
Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/mutual-authentication.html
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from moto.core.responses import ActionResult, EmptyResult
from moto.elbv2.exceptions import ELBClientError
from moto.elbv2.models import ELBv2Backend
from moto.elbv2.responses import ELBV2Response

from rehearsal.aws import buckets
from rehearsal.aws.patching import adds, wraps_original

DOWNLOADS = "/_rehearsal/trust-store-content/"
_content: dict[str, bytes] = {}


@dataclass
class Revocation:
    """One revocation list of a trust store; `entries` counts the serials it revokes."""

    id: int
    content: bytes
    entries: int
    token: str


@dataclass
class TrustStore:
    """A trust store: the CA certificates a listener accepts clients of, and what they revoked."""

    arn: str
    name: str
    bundle: bytes
    certificates: int
    token: str
    revocations: dict[int, Revocation] = field(default_factory=dict)
    last_revocation_id: int = 0

    def described(self) -> dict[str, Any]:
        return {
            "Name": self.name,
            "TrustStoreArn": self.arn,
            "Status": "ACTIVE",
            "NumberOfCaCertificates": self.certificates,
            "TotalRevokedEntries": sum(r.entries for r in self.revocations.values()),
        }

    def described_revocation(self, revocation: Revocation) -> dict[str, Any]:
        return {
            "TrustStoreArn": self.arn,
            "RevocationId": revocation.id,
            "RevocationType": "CRL",
            "NumberOfRevokedEntries": revocation.entries,
        }


def _remember(content: bytes) -> str:
    token = secrets.token_urlsafe(24)
    _content[token] = content
    return token


def download(path: str) -> bytes | None:
    """The content behind a Location, or None when there is none (any more)."""
    return _content.get(path.removeprefix(DOWNLOADS))


def _location(response: Any, token: str) -> str:
    """An address that whoever asked can reach: they get back the host that they called."""
    return f"http://{response.headers['Host']}{DOWNLOADS}{token}"


@wraps_original(ELBv2Backend, "__init__")
def _backend_init(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    original(self, *args, **kwargs)
    self.trust_stores = {}


@wraps_original(ELBv2Backend, "_get_resource_by_arn")
def _get_resource_by_arn(original: Any, self: Any, arn: str) -> Any:
    return find(self, arn) if ":truststore/" in arn else original(self, arn)


def find(backend: Any, arn: str) -> TrustStore:
    """The trust store of an ARN. Raises AWS's TrustStoreNotFound."""
    if arn not in backend.trust_stores:
        raise ELBClientError("TrustStoreNotFound", f"The trust store '{arn}' does not exist")
    found: TrustStore = backend.trust_stores[arn]
    return found


def _read_bundle(account: str, params: dict[str, Any]) -> tuple[bytes, int]:
    bucket, key = params["CaCertificatesBundleS3Bucket"], params["CaCertificatesBundleS3Key"]
    content = buckets.read(account, bucket, key, params.get("CaCertificatesBundleS3ObjectVersion"))
    if content is None:
        raise ELBClientError("CaCertificatesBundleNotFound", f"There is no CA bundle at s3://{bucket}/{key}")
    try:
        certificates = x509.load_pem_x509_certificates(content)
    except ValueError as problem:
        raise ELBClientError("InvalidCaCertificatesBundle", f"s3://{bucket}/{key}: {problem}") from problem
    return content, len(certificates)


def _read_revocation(account: str, asked: dict[str, Any]) -> tuple[bytes, int]:
    bucket, key = asked["S3Bucket"], asked["S3Key"]
    content = buckets.read(account, bucket, key, asked.get("S3ObjectVersion"))
    if content is None:
        raise ELBClientError("RevocationContentNotFound", f"There is no revocation list at s3://{bucket}/{key}")
    try:
        pem = content.lstrip().startswith(b"-----BEGIN")
        crl = x509.load_pem_x509_crl(content) if pem else x509.load_der_x509_crl(content)
    except ValueError as problem:
        raise ELBClientError("InvalidRevocationContent", f"s3://{bucket}/{key}: {problem}") from problem
    return content, len(crl)


@adds(ELBV2Response)
def create_trust_store(self: Any) -> ActionResult:
    params, backend = self._get_params(), self.elbv2_backend
    name = params["Name"]
    if any(store.name == name for store in backend.trust_stores.values()):
        raise ELBClientError("DuplicateTrustStoreName", f"A trust store named '{name}' exists already")
    content, count = _read_bundle(self.current_account, params)
    arn = f"arn:aws:elasticloadbalancing:{self.region}:{self.current_account}:truststore/{name}/{secrets.token_hex(8)}"
    backend.trust_stores[arn] = TrustStore(arn, name, content, count, _remember(content))
    backend.tagging_service.tag_resource(arn, params.get("Tags"))
    return ActionResult({"TrustStores": [backend.trust_stores[arn].described()]})


@adds(ELBV2Response)
def describe_trust_stores(self: Any) -> ActionResult:
    params, backend = self._get_params(), self.elbv2_backend
    stores = list(backend.trust_stores.values())
    if params.get("TrustStoreArns"):
        stores = [find(backend, arn) for arn in params["TrustStoreArns"]]
    if params.get("Names"):
        wanted = set(params["Names"])
        missing = wanted - {store.name for store in stores}
        if missing:
            raise ELBClientError("TrustStoreNotFound", f"One or more trust stores not found: {sorted(missing)}")
        stores = [store for store in stores if store.name in wanted]
    return ActionResult({"TrustStores": [store.described() for store in stores]})


@adds(ELBV2Response)
def modify_trust_store(self: Any) -> ActionResult:
    params = self._get_params()
    store = find(self.elbv2_backend, params["TrustStoreArn"])
    content, store.certificates = _read_bundle(self.current_account, params)
    _content.pop(store.token, None)
    store.bundle, store.token = content, _remember(content)
    return ActionResult({"TrustStores": [store.described()]})


@adds(ELBV2Response)
def delete_trust_store(self: Any) -> EmptyResult:
    backend = self.elbv2_backend
    store = find(backend, self._get_param("TrustStoreArn"))
    if associations(backend, store.arn):
        raise ELBClientError("TrustStoreInUse", f"The trust store '{store.arn}' is in use by a listener")
    for token in [store.token, *(r.token for r in store.revocations.values())]:
        _content.pop(token, None)
    del backend.trust_stores[store.arn]
    return EmptyResult()


@adds(ELBV2Response)
def add_trust_store_revocations(self: Any) -> ActionResult:
    params = self._get_params()
    store = find(self.elbv2_backend, params["TrustStoreArn"])
    # All contents are read before any is added: a request is taken whole or not at all.
    read = [_read_revocation(self.current_account, asked) for asked in params.get("RevocationContents") or []]
    added = []
    for content, entries in read:
        store.last_revocation_id += 1
        revocation = Revocation(store.last_revocation_id, content, entries, _remember(content))
        store.revocations[revocation.id] = revocation
        added.append(store.described_revocation(revocation))
    return ActionResult({"TrustStoreRevocations": added})


@adds(ELBV2Response)
def describe_trust_store_revocations(self: Any) -> ActionResult:
    params = self._get_params()
    store = find(self.elbv2_backend, params["TrustStoreArn"])
    wanted = params.get("RevocationIds")
    found = [_revocation(store, i) for i in wanted] if wanted else list(store.revocations.values())
    return ActionResult({"TrustStoreRevocations": [store.described_revocation(r) for r in found]})


@adds(ELBV2Response)
def remove_trust_store_revocations(self: Any) -> EmptyResult:
    params = self._get_params()
    store = find(self.elbv2_backend, params["TrustStoreArn"])
    for revocation in [_revocation(store, i) for i in params["RevocationIds"]]:
        _content.pop(revocation.token, None)
        store.revocations.pop(revocation.id, None)
    return EmptyResult()


def _revocation(store: TrustStore, revocation_id: Any) -> Revocation:
    found = store.revocations.get(int(revocation_id))
    if found is None:
        raise ELBClientError("RevocationIdNotFound", f"The trust store has no revocation list {revocation_id}")
    return found


@adds(ELBV2Response)
def get_trust_store_ca_certificates_bundle(self: Any) -> ActionResult:
    store = find(self.elbv2_backend, self._get_param("TrustStoreArn"))
    return ActionResult({"Location": _location(self, store.token)})


@adds(ELBV2Response)
def get_trust_store_revocation_content(self: Any) -> ActionResult:
    store = find(self.elbv2_backend, self._get_param("TrustStoreArn"))
    return ActionResult({"Location": _location(self, _revocation(store, self._get_param("RevocationId")).token)})


def associations(backend: Any, arn: str) -> list[str]:
    """The ARNs of the load balancers' listeners that verify clients with this trust store."""
    return [
        listener.arn
        for balancer in backend.load_balancers.values()
        for listener in balancer.listeners.values()
        if (listener.mutual_authentication or {}).get("TrustStoreArn") == arn
    ]


@adds(ELBV2Response)
def describe_trust_store_associations(self: Any) -> ActionResult:
    backend = self.elbv2_backend
    store = find(backend, self._get_param("TrustStoreArn"))
    return ActionResult({"TrustStoreAssociations": [{"ResourceArn": arn} for arn in associations(backend, store.arn)]})
