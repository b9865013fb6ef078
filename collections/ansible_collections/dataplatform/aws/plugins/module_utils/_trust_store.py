# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The users' revocation list in the trust store of an Application Load Balancer.

A trust store keeps a copy of the list as it was when it was added: a newer list must be added again, the older one
removed. AWS Private CA writes its list in DER; a trust store takes PEM (AWS re:Post, "configure a certificate revocation
list for mTLS"), so a PEM copy goes into the certificates bucket first.

Private to this collection. `elb` is a boto3 client of elbv2, `s3` of s3.
"""

from __future__ import annotations

import datetime as dt
import typing as t
import urllib.error
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ansible.module_utils.urls import open_url
from ansible_collections.dataplatform.aws.plugins.module_utils import _acmpca, _aws, _pki, _registry

if t.TYPE_CHECKING:
    from cryptography import x509

COPY_KEY = "trust-store/users.crl.pem"
METRIC = "trust_store_revocation_list_days"
TIMEOUT = 30  # seconds for one download


class TrustStoreError(Exception):
    """A revocation list that cannot be used. The message says what to do."""


@dataclass(frozen=True)
class Installed:
    """A list in the trust store; crl is None when it cannot be read."""

    revocation_id: int
    crl: x509.CertificateRevocationList | None


@dataclass
class Outcome:
    """changed: whether the trust store was (or would be) changed. pending: serials that the CA has not listed yet."""

    changed: bool
    pending: list[str]
    because: str
    revocation_ids: list[int]
    serials: list[str]
    next_update: dt.datetime | None
    before: list[str]


def list_revocations(elb: t.Any, trust_store_arn: str) -> list[int]:
    """DescribeTrustStoreRevocations: the ids of the lists in the trust store, oldest first."""
    found = _aws.pages(elb, "describe_trust_store_revocations", "TrustStoreRevocations", TrustStoreArn=trust_store_arn)
    return sorted(int(entry["RevocationId"]) for entry in found)


def download(url: str) -> bytes:
    """Fetch what AWS hands out as a presigned address."""
    if not url.startswith(("https://", "http://")):
        raise TrustStoreError(f"not a web address: {url.split('?')[0]}")
    try:
        return t.cast(bytes, open_url(url, timeout=TIMEOUT).read())
    except (urllib.error.URLError, OSError) as error:
        raise TrustStoreError(f"{url.split('?')[0]} cannot be read: {error}") from error


def read_revocation(
    elb: t.Any, trust_store_arn: str, revocation_id: int, fetch: Callable[[str], bytes] = download
) -> Installed:
    """GetTrustStoreRevocationContent: the list as the trust store has it."""
    answer = _aws.call(
        elb, "get_trust_store_revocation_content", TrustStoreArn=trust_store_arn, RevocationId=revocation_id
    )
    try:
        return Installed(revocation_id, _pki.load_crl(fetch(answer["Location"])))
    except _pki.PkiError:
        return Installed(revocation_id, None)


def put_copy(s3: t.Any, bucket: str, key: str, crl: x509.CertificateRevocationList) -> dict[str, str]:
    """Write the list as PEM; returns its location. Without a version: reading one takes a permission of its own."""
    _aws.call(s3, "put_object", Bucket=bucket, Key=key, Body=_pki.crl_pem(crl), ContentType="application/x-pem-file")
    return {"S3Bucket": bucket, "S3Key": key, "RevocationType": "CRL"}


def add(elb: t.Any, trust_store_arn: str, location: dict[str, str]) -> int:
    """AddTrustStoreRevocations; returns the id of the new list."""
    answer = _aws.call(elb, "add_trust_store_revocations", TrustStoreArn=trust_store_arn, RevocationContents=[location])
    return int(answer["TrustStoreRevocations"][0]["RevocationId"])


def remove(elb: t.Any, trust_store_arn: str, revocation_ids: Iterable[int]) -> None:
    """RemoveTrustStoreRevocations; lists that are gone already do not matter."""
    for revocation_id in revocation_ids:
        try:
            _aws.call(
                elb, "remove_trust_store_revocations", TrustStoreArn=trust_store_arn, RevocationIds=[revocation_id]
            )
        except _aws.AwsError as error:
            if error.code not in ("RevocationIdNotFound", "RevocationIdNotFoundException"):
                raise


def authority_crl(pca: t.Any, s3: t.Any, ca_arn: str) -> x509.CertificateRevocationList | None:
    """The list that the CA wrote last, its signature checked; None when there is none yet.

    :raises TrustStoreError: the CA writes no lists, or somebody else signed this one
    """
    location = _acmpca.crl_location(_acmpca.describe_authority(pca, ca_arn))
    if location is None:
        raise TrustStoreError(f"{ca_arn} writes no revocation list; enable it (crl_configuration)")
    body = _registry.get_object(s3, *location)
    if body is None:
        return None
    crl = _pki.load_crl(body)
    certificate = _acmpca.authority_certificates(pca, ca_arn)[0]
    if not _pki.signed_by(crl, _pki.load_chain(certificate)):
        raise TrustStoreError(f"s3://{'/'.join(location)} is not signed by {ca_arn}; find out who wrote it")
    return crl


def why_replace(
    crl: x509.CertificateRevocationList, installed: list[Installed], now: dt.datetime, before: dt.timedelta
) -> str:
    """Why the trust store needs the CA's list; empty when what it has will do.

    A list is needed when it names serials that the one there does not, or when that one ends sooner than `before` (an
    ended list refuses everybody) and the CA's lasts longer. A list that is merely newer is not: the CA signs one every
    few days, and leaves out what has expired.
    """
    if len(installed) != 1 or installed[0].crl is None:
        return "there is no list" if not installed else "there are several lists, or one that cannot be read"
    current = installed[0].crl
    if set(_pki.crl_serials(crl)) - set(_pki.crl_serials(current)):
        return "more serials are revoked"
    ends, would_end = current.next_update_utc, crl.next_update_utc
    if ends is not None and would_end is not None and ends - now < before and would_end > ends:
        return f"the list ends {_pki.rfc3339(ends)}"
    return ""


def ensure(
    clients: tuple[t.Any, t.Any, t.Any],
    ca_arn: str,
    trust_store_arn: str,
    copy: tuple[str, str],
    expected: Iterable[str] = (),
    replace_before: dt.timedelta = dt.timedelta(days=3.5),
    check: bool = False,
    fetch: Callable[[str], bytes] = download,
) -> Outcome:
    """Make the trust store hold exactly the CA's list: add the new one first, then remove the old ones.

    :param clients: boto3 clients of acm-pca, s3 and elbv2
    :param copy: bucket and key for the PEM copy
    :param expected: serials that have to be on the list; those that the CA has not listed yet come back as pending
    :param check: change nothing
    """
    pca, s3, elb = clients
    crl = authority_crl(pca, s3, ca_arn)
    ids = list_revocations(elb, trust_store_arn)
    installed = [read_revocation(elb, trust_store_arn, revocation_id, fetch) for revocation_id in ids]
    before = sorted({serial for entry in installed if entry.crl is not None for serial in _pki.crl_serials(entry.crl)})
    if crl is None:
        return Outcome(False, sorted(set(expected)), "the CA has written no list yet", ids, before, None, before)
    because = why_replace(crl, installed, _pki.now(), replace_before)
    if because and not check:
        # Never a moment without a list: AWS checks all lists of a trust store.
        new = add(elb, trust_store_arn, put_copy(s3, copy[0], copy[1], crl))
        remove(elb, trust_store_arn, ids)
        ids = [new]
    wanted = crl if because else t.cast("x509.CertificateRevocationList", installed[0].crl)
    serials, ends = sorted(_pki.crl_serials(wanted)), wanted.next_update_utc
    return Outcome(
        changed=bool(because),
        pending=sorted(set(expected) - set(serials)),
        because=because,
        revocation_ids=ids,
        serials=serials,
        next_update=ends,
        before=before,
    )


def publish(cloudwatch: t.Any, namespace: str, outcome: Outcome) -> None:
    """PutMetricData: for how many days the list in the trust store still lasts. Nothing when there is none that ends.

    An ended list lets nobody in, and no metric of AWS's own says how long one lasts.
    """
    if outcome.next_update is None:
        return
    days = (outcome.next_update - _pki.now()).total_seconds() / 86400
    datum = {"MetricName": METRIC, "Value": days, "Unit": "None"}
    _aws.call(cloudwatch, "put_metric_data", Namespace=namespace, MetricData=[datum])


def result(outcome: Outcome) -> dict[str, t.Any]:
    """What the module returns."""
    return {
        "changed": outcome.changed,
        "reason": outcome.because if outcome.changed else "",
        "pending": outcome.pending,
        "serials": outcome.serials,
        "next_update": _pki.rfc3339(outcome.next_update) if outcome.next_update else None,
        "revocation_ids": outcome.revocation_ids,
        "diff": {"before": {"revoked": outcome.before}, "after": {"revoked": outcome.serials}},
    }
