# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Certificate requests: one reviewed YAML file for each user, read strictly.

Private to this collection. Everything wrong is collected and reported at once, each with file, line, value and fix.
The rules are those of cert-requests/schema.json (a test keeps them equal) and the subject policy of _dn.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import typing as t
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.dataplatform.aws.plugins.module_utils import _acmpca, _dn, _pki

try:
    import yaml

    HAS_YAML = True
except ImportError:
    HAS_YAML = False

ENVIRONMENTS = ("dev", "ppd", "prod")
KINDS = ("user", "service")
REQUIRED = ("user", "env", "subject", "expiry_days")
OPTIONAL = ("kind", "csr", "key_type", "principal", "revoked", "revocation_reason")
USER = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?")
# A role or user of IAM: somebody who can be told apart from all others in a resource policy. Without the first part it
# is of the environment's own account, whose number is no part of what is reviewed.
PRINCIPAL = re.compile(r"(?:arn:aws[a-z-]*:iam::(?P<account>\d{12}):)?(?:role|user)/[A-Za-z0-9+=,.@_/-]{1,512}")
MIN_DAYS, MAX_DAYS = 1, 365
MAX_BYTES = 65536
MAX_DEPTH = 3
SUFFIX = ".yaml"


class RequestError(ValueError):
    """What is wrong with the requests: one line for each finding, ``file:line: value; fix``."""

    def __init__(self, findings: Iterable[str]) -> None:
        self.findings = list(findings)
        super().__init__("\n".join(self.findings))


@dataclass(frozen=True)
class Request:
    """A reviewed request.

    subject passes the subject policy; csr is PEM text or None (then a key of key_type is made for the user);
    principal is who may fetch the key, an ARN or role/NAME (user/NAME) of the environment's account, or None;
    sha256 identifies what was reviewed.
    """

    user: str
    env: str
    subject: _dn.DN
    expiry_days: int
    file: str
    kind: str = "user"
    csr: str | None = None
    key_type: str = "ec-p256"
    principal: str | None = None
    revoked: bool = False
    revocation_reason: str = "CESSATION_OF_OPERATION"

    @property
    def sha256(self) -> str:
        """Identifies what the certificate depends on: another value means another certificate."""
        reviewed = {
            "user": self.user,
            "env": self.env,
            "kind": self.kind,
            "dn": self.subject.rfc4514(),
            "expiry_days": self.expiry_days,
            "key": _pki.spki_sha256(_pki.load_csr(self.csr)) if self.csr else self.key_type,
        }
        return hashlib.sha256(json.dumps(reviewed, sort_keys=True).encode()).hexdigest()


class _Reader:
    """Reads one file. `lines` holds the line of each key by its path; `findings` what is wrong."""

    def __init__(self, path: str, shown: str, account: str | None) -> None:
        self.path, self.shown, self.account = path, shown, account
        self.lines: dict[tuple[str, ...], int] = {}
        self.findings: list[str] = []

    def finding(self, key: tuple[str, ...] | str, text: str) -> None:
        path = (key,) if isinstance(key, str) else key
        line = next((self.lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in self.lines), 1)
        self.findings.append(f"{self.shown}:{line}: {text}")

    def load(self) -> t.Any:
        """The document as Python values; None when it could not be read."""
        if os.path.islink(self.path) or not os.path.isfile(self.path):
            self.finding((), "is not a regular file; put the request itself here")
            return None
        with open(self.path, "rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            self.finding((), f"is larger than {MAX_BYTES} bytes; a request is a few lines")
            return None
        try:
            loader = yaml.SafeLoader(raw.decode("utf-8"))
            try:
                node = loader.get_single_node()
                return None if node is None else self.value(loader, node, ())
            finally:
                loader.dispose()
        except UnicodeDecodeError as error:
            line = raw[: error.start].count(b"\n") + 1
            self.findings.append(f"{self.shown}:{line}: is not UTF-8 text; save it as UTF-8")
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or "cannot be read"
            self.findings.append(f"{self.shown}:{mark.line + 1 if mark else 1}: is not YAML: {problem}")
        return None

    def value(self, loader: t.Any, node: t.Any, path: tuple[str, ...]) -> t.Any:
        """Build the value of a node, noting lines and refusing keys that stand twice (YAML would keep the last)."""
        if not path:
            self.lines[()] = node.start_mark.line + 1
        if len(path) > MAX_DEPTH:
            self.findings.append(f"{self.shown}:{node.start_mark.line + 1}: is nested too deeply; see the README.md")
            return None
        if isinstance(node, yaml.SequenceNode):
            return [self.value(loader, child, (*path, "[]")) for child in node.value]
        if not isinstance(node, yaml.MappingNode):
            return loader.construct_object(node)
        found: dict[str, t.Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
            here = (*path, key)
            line = key_node.start_mark.line + 1
            if key in found:
                self.findings.append(f"{self.shown}:{line}: {'.'.join(here)} stands twice; keep one")
            self.lines.setdefault(here, line)
            found[key] = self.value(loader, value_node, here)
        return found

    def request(self, env: str) -> Request | None:
        """The request, or None when something is wrong."""
        document = self.load()
        if self.findings:
            return None
        if not isinstance(document, dict):
            self.finding((), f"holds {type(document).__name__}, not keys and values; see cert-requests/README.md")
            return None
        self.check_keys(document)
        for key in (*REQUIRED, *OPTIONAL):
            if key in document:
                getattr(self, f"check_{key}")(document[key], env)
        self.check_combinations(document)
        if self.findings:
            return None
        return Request(
            **{
                **document,
                "subject": _dn.check_subject(document["subject"]),
                "file": self.shown,
            }
        )

    def check_keys(self, document: dict[str, t.Any]) -> None:
        for key in document:
            if key not in (*REQUIRED, *OPTIONAL):
                self.finding(key, f"{key} is not a key of a request; allowed are {', '.join((*REQUIRED, *OPTIONAL))}")
        for key in REQUIRED:
            if key not in document:
                self.finding((), f"{key} is missing; add it")

    def check_user(self, value: t.Any, env: str) -> None:
        stem = os.path.basename(self.path)[: -len(SUFFIX)]
        if not isinstance(value, str) or not USER.fullmatch(value):
            self.finding(
                "user", f"user is {value!r}; use 1 to 63 small letters, digits, '.', '_' or '-', no sign at either end"
            )
        elif value.startswith(_dn.PROBE_PREFIX):
            self.finding(
                "user", f"user is {value!r}; names with {_dn.PROBE_PREFIX!r} are kept for the platform's probes"
            )
        elif value != stem:
            self.finding("user", f"user is {value!r}, the file is {stem}{SUFFIX}; name the file {value}{SUFFIX}")

    def check_env(self, value: t.Any, env: str) -> None:
        if value != env:
            self.finding("env", f"env is {value!r}, this folder is for {env!r}; move the file or correct env")

    def check_subject(self, value: t.Any, env: str) -> None:
        if not isinstance(value, dict):
            self.finding("subject", f"subject is {value!r}; give {', '.join(_dn.SUBJECT_KEYS)}")
            return
        try:
            dn = _dn.check_subject(value)
        except _dn.DnError as error:
            key = next((key for key in value if re.match(rf"{re.escape(str(key))} is ", str(error))), None)
            self.finding(("subject", key) if key else "subject", f"subject: {error}")
            return
        if _dn.is_reserved(dn):
            self.finding(
                ("subject", "organizational_unit"),
                f"organizational_unit is {value['organizational_unit']!r}; units that begin with 'platform-' are kept "
                "for the platform's own identities; choose another",
            )
        if _dn.is_probe(dn):
            self.finding(
                ("subject", "common_name"),
                f"common_name is {value['common_name']!r}; names with 'probe-' are kept for the platform's probes",
            )

    def check_expiry_days(self, value: t.Any, env: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not MIN_DAYS <= value <= MAX_DAYS:
            self.finding(
                "expiry_days", f"expiry_days is {value!r}; give a whole number of days, {MIN_DAYS} to {MAX_DAYS}"
            )

    def choice(self, key: str, value: t.Any, choices: Iterable[str]) -> None:
        if value not in choices:
            self.finding(key, f"{key} is {value!r}; choose {' or '.join(choices)}")

    def check_kind(self, value: t.Any, env: str) -> None:
        self.choice("kind", value, KINDS)

    def check_key_type(self, value: t.Any, env: str) -> None:
        self.choice("key_type", value, _pki.KEY_TYPES)

    def check_revocation_reason(self, value: t.Any, env: str) -> None:
        self.choice("revocation_reason", value, _acmpca.REASONS)

    def check_revoked(self, value: t.Any, env: str) -> None:
        if not isinstance(value, bool):
            self.finding("revoked", f"revoked is {value!r}; write true or false")

    def check_principal(self, value: t.Any, env: str) -> None:
        match = PRINCIPAL.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            hint = "give the ARN of an IAM role or user, or role/NAME, no wildcards"
            self.finding("principal", f"principal is {value!r}; {hint}")
        elif self.account and match.group("account") not in (None, self.account):
            self.finding("principal", f"principal is {value!r}; give one of this environment's account, {self.account}")

    def check_csr(self, value: t.Any, env: str) -> None:
        if not isinstance(value, str):
            self.finding("csr", "csr is not text; put the PEM text below `csr: |`")

    def check_combinations(self, document: dict[str, t.Any]) -> None:
        for key in ("key_type", "principal"):
            if document.get("csr") and key in document:
                self.finding(key, f"{key} has no meaning with csr: the key stays with the user; remove one of them")
        if "revocation_reason" in document and not document.get("revoked"):
            self.finding("revocation_reason", "revocation_reason without `revoked: true`; add it or remove the reason")
        if self.findings or not document.get("csr"):
            return
        try:
            _pki.check_user_csr(document["csr"], document["subject"])
        except (_pki.PkiError, _dn.DnError) as error:
            self.finding("csr", f"csr: {error}")


def load_file(path: str, env: str, shown: str | None = None, account: str | None = None) -> Request:
    """One request.

    :param shown: how messages name the file; None: the path
    :param account: AWS account id that a principal must belong to; None: any
    :raises RequestError: all that is wrong with the file
    """
    reader = _Reader(path, shown or path, account)
    request = reader.request(env)
    if request is None:
        raise RequestError(reader.findings)
    return request


def load_directory(directory: str, env: str, account: str | None = None) -> list[Request]:
    """All requests of an environment, sorted by user. README.md and hidden files are passed over.

    :param account: AWS account id that principals must belong to; None: any
    :raises RequestError: all that is wrong in all files: also two requests for one identity or with one key
    """
    if env not in ENVIRONMENTS:
        raise RequestError([f"{directory}: environment {env!r} is not known; choose {' or '.join(ENVIRONMENTS)}"])
    if not os.path.isdir(directory):
        raise RequestError([f"{directory}: is not a directory; give the folder with the requests of {env}"])
    shown = os.path.join(*os.path.normpath(directory).split(os.sep)[-2:])
    findings: list[str] = []
    requests: list[Request] = []
    for name in sorted(os.listdir(directory)):
        if name.startswith(".") or name == "README.md":
            continue
        if not name.endswith(SUFFIX):
            findings.append(f"{os.path.join(shown, name)}:1: is no request; name it USER{SUFFIX} or move it elsewhere")
            continue
        try:
            requests.append(load_file(os.path.join(directory, name), env, os.path.join(shown, name), account))
        except RequestError as error:
            findings.extend(error.findings)
    findings.extend(_collisions(requests))
    if findings:
        raise RequestError(findings)
    return requests


def _collisions(requests: Iterable[Request]) -> list[str]:
    """Two requests that would give two people one identity, look-alikes in letter case or Unicode form included."""
    findings = []
    seen: dict[tuple[str, ...], str] = {}
    for request in requests:
        marks = [("subject", _dn.confusable(request.subject))]
        if request.csr:
            marks.append(("csr", _pki.spki_sha256(_pki.load_csr(request.csr))))
        for what, mark in marks:
            other = seen.setdefault((what, mark), request.file)
            if other != request.file:
                same = f"subject {request.subject} reads like that" if what == "subject" else "csr has the key"
                findings.append(f"{request.file}:1: its {same} of {other}; one identity belongs to one user")
    return findings
