# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the keystore module and the truststore module have in common. Private to this collection."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

from ansible_collections.dataplatform.aws.plugins.module_utils import _files, _keystore, _pki

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule
    from cryptography import x509

argument_spec: dict[str, dict[str, t.Any]] = {
    "path": {"type": "path", "required": True},
    "password": {"type": "str", "no_log": True},
    # a path, not the password itself
    "password_path": {"type": "path", "no_log": False},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "str"},
}
Summary = list[dict[str, str]]


def certificates(texts: Sequence[str] | None, path: str | None) -> list[x509.Certificate]:
    """The certificates of PEM texts, or of a file, each once.

    :raises PkiError: one is malformed
    :raises FileError: there is no such file
    """
    sources = {f"certificates[{index}]": text.encode() for index, text in enumerate(texts or ())}
    if path:
        sources = {path: _content(path)}
    found: list[x509.Certificate] = []
    for name, pem in sources.items():
        try:
            found += [one for one in _pki.load_chain(pem) if one not in found]
        except _pki.PkiError as error:
            raise _pki.PkiError(f"{name}: {error}") from error
    return found


def key(path: str) -> t.Any:
    """The private key in a file."""
    try:
        return _pki.load_key(_content(path))
    except _pki.PkiError as error:
        raise _pki.PkiError(f"{path}: {error}") from error


def password(value: str | None, path: str | None) -> str:
    """The password as given, or in a file.

    :raises KeystoreError: it is empty
    """
    found = _files.read_secret(path) if path else value
    if not found:
        raise _keystore.KeystoreError("password is empty; Java does not open such a store")
    return found


def _content(path: str) -> bytes:
    content = _files.read(path)
    if content is None:
        raise _files.FileError(f"{path} does not exist")
    return content


def summary(found: Sequence[x509.Certificate]) -> Summary:
    """Public facts of certificates, for results and diffs."""
    names = ("dn", "serial", "not_after", "fingerprint_sha256")
    return [{name: _pki.describe(one)[name] for name in names} for one in found]


def trusted(data: bytes | None, secret: str) -> Summary | None:
    """What a truststore trusts; None without one, or when Java would trust none of it."""
    try:
        return None if data is None else summary(_keystore.truststore_certificates(data, secret))
    except _keystore.KeystoreError:
        return None


def kept(data: bytes | None, secret: str) -> Summary | None:
    """The certificates of a keystore; None without one, or when it can't be read."""
    try:
        if data is None:
            return None
        _key, leaf, above = _pki.load_pkcs12(data, secret)
    except _pki.PkiError:
        return None
    return summary([leaf, *above])


def put(module: AnsibleModule, data: bytes, before: Summary | None, after: Summary) -> dict[str, t.Any]:
    """Write the store unless it and its attributes are as wanted already; return changed, path and diff."""
    params = module.params
    path = params["path"]
    target = _files.wanted(path, params["owner"], params["group"], params["mode"])
    had = _files.attributes(path)
    changed = _files.differs(path, data, target)
    if changed and not module.check_mode:
        _files.write(path, data, target)
    return {
        "changed": changed,
        "path": path,
        "diff": {
            "before_header": path,
            "after_header": path,
            "before": {"certificates": before, **(had.described() if had else {})},
            "after": {"certificates": after, **target.described()},
        },
    }
