# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Distinguished names: read, compare, check, and map to a role. The only place that does.

A DN reaches the platform in several renderings: RFC 4514 from a balancer (``CN=a,OU=b,O=c``), RFC 1779 from Java
(``CN=a, OU="b, c"``), UTF-8 as ``\\C5\\81`` from OpenSSL. Two renderings of one name are one identity. A name with
look-alike letters, other letter case or another order of the parts is another identity: values are compared exactly.

Private to this collection. Imports nothing from ansible, because hosts use it without ansible.
"""

from __future__ import annotations

import re
import string
import typing as t
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from cryptography import x509

# Short names of RFC 4514 section 3, and the mail address that RFC 2985 adds.
OIDS = {
    "2.5.4.3": "CN",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.6": "C",
    "2.5.4.9": "STREET",
    "0.9.2342.19200300.100.1.25": "DC",
    "0.9.2342.19200300.100.1.1": "UID",
    "2.5.4.5": "SERIALNUMBER",
    "2.5.4.4": "SN",
    "2.5.4.42": "GIVENNAME",
    "2.5.4.12": "T",
    "1.2.840.113549.1.9.1": "EMAILADDRESS",
}
SHORT_NAMES = {name: oid for oid, name in OIDS.items()} | {
    "S": "2.5.4.8",
    "SURNAME": "2.5.4.4",
    "GN": "2.5.4.42",
    "TITLE": "2.5.4.12",
    "E": "1.2.840.113549.1.9.1",
    "EMAIL": "1.2.840.113549.1.9.1",
}
LONG_NAMES = {
    "CN": "common_name",
    "OU": "organizational_unit",
    "O": "organization",
    "C": "country",
    "L": "locality",
    "ST": "state",
    "STREET": "street",
    "DC": "domain_component",
    "UID": "user_id",
    "SERIALNUMBER": "serial_number",
    "SN": "surname",
    "GIVENNAME": "given_name",
    "T": "title",
    "EMAILADDRESS": "email_address",
}
# What a user's subject is made of, in the order of the text (RFC 4514: last part of the DER first).
SUBJECT_PARTS = ("CN", "OU", "O")
SUBJECT_KEYS = tuple(LONG_NAMES[name] for name in SUBJECT_PARTS)
MAX_LENGTH = 64  # ub-common-name and its siblings, RFC 5280 appendix A.1
PUNCTUATION = frozenset(" .-_@'&")
DIGITS = frozenset(string.digits)
HEX = frozenset(string.hexdigits)
ESCAPABLE = frozenset(' "#+,;<=>\\')
RESERVED_OU_PREFIX = "platform-"
PROBE_PREFIX = "probe-"
# DirectoryString and IA5String tags (X.680) and how Python decodes them; 0x14 is Latin-1 as everybody writes it.
STRING_TAGS = {0x0C: "utf-8", 0x13: "ascii", 0x16: "ascii", 0x14: "latin-1", 0x1E: "utf-16-be", 0x1C: "utf-32-be"}

_TYPE = re.compile(r"(?:(?:oid|OID)\.)?(?P<type>[A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+)")

Attribute = tuple[str, str]
Subject = t.Union["DN", Mapping[str, t.Any]]


class DnError(ValueError):
    """A name that cannot be read, or is not allowed. The message holds the value and what to do."""


@dataclass(frozen=True)
class DN:
    """A distinguished name. Equal names are the same identity.

    rdns: the relative names, most specific first (as RFC 4514 text has them: the reverse of the DER). Each one is a
    sorted tuple of (type, value); type is a short name such as CN, or a dotted OID.
    """

    rdns: tuple[tuple[Attribute, ...], ...]

    def __str__(self) -> str:
        return self.rfc4514()

    def rfc4514(self) -> str:
        """The name as RFC 4514 text, without spaces, letters beyond ASCII kept: ``CN=alice,OU=DataEng,O=Platform``.

        For a name that passes check_subject this is also the identity that NiFi knows.
        """
        return ",".join("+".join(f"{kind}={_escape(value)}" for kind, value in rdn) for rdn in self.rdns)

    def values(self, kind: str) -> tuple[str, ...]:
        """All values of one attribute type (short name, long name or OID), most specific first."""
        wanted = _type(_short(kind))
        return tuple(value for rdn in self.rdns for found, value in rdn if found == wanted)

    @property
    def attributes(self) -> dict[str, t.Any]:
        """Long attribute name → value; a tuple of values where the name holds several of one type."""
        found: dict[str, list[str]] = {}
        for rdn in self.rdns:
            for kind, value in rdn:
                found.setdefault(LONG_NAMES.get(kind, kind), []).append(value)
        return {name: values[0] if len(values) == 1 else tuple(values) for name, values in found.items()}


def _short(name: str) -> str:
    for short, long_name in LONG_NAMES.items():
        if long_name == name:
            return short
    return name


def _type(name: str) -> str:
    """The canonical attribute type: short name in capitals where there is one, else the dotted OID."""
    if name[0].isdigit():
        return OIDS.get(name, name)
    oid = SHORT_NAMES.get(name.upper())
    if oid is None:
        raise DnError(f"attribute type {name!r} is not known; write it as a dotted OID")
    return OIDS[oid]


def _rdn(attributes: Iterable[Attribute]) -> tuple[Attribute, ...]:
    # An RDN is a SET: its order carries no meaning (X.501 section 9.3), and DER sorts it by encoding.
    found = tuple(sorted(attributes))
    if len({kind for kind, value in found}) != len(found):
        raise DnError(f"one relative name holds an attribute type twice: {found!r}")
    return found


def _escape(value: str) -> str:
    """RFC 4514 section 2.4."""
    if not value:
        return ""
    escaped = "".join(
        f"\\{char}" if char in '"+,;<>\\' else f"\\{ord(char):02X}" if ord(char) < 32 or ord(char) == 127 else char
        for char in value
    )
    if value[0] in "# ":
        escaped = "\\" + escaped
    if len(value) > 1 and value[-1] == " ":
        escaped = escaped[:-1] + "\\ "
    return escaped


class _Parser:
    """One pass over the text; `at` is the position of the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def error(self, what: str) -> DnError:
        return DnError(f"not a distinguished name: {what} at character {self.at + 1} of {self.text!r}")

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def spaces(self) -> None:
        while self.peek() == " ":
            self.at += 1

    def name(self) -> DN:
        self.spaces()
        if not self.peek():
            return DN(())
        rdns = [self.rdn()]
        while self.peek() in (",", ";") and self.peek():
            self.at += 1
            rdns.append(self.rdn())
        if self.peek():
            raise self.error(f"unexpected {self.peek()!r}")
        return DN(tuple(rdns))

    def rdn(self) -> tuple[Attribute, ...]:
        found = [self.attribute()]
        while self.peek() == "+":
            self.at += 1
            found.append(self.attribute())
        return _rdn(found)

    def attribute(self) -> Attribute:
        self.spaces()
        match = _TYPE.match(self.text, self.at)
        if match is None:
            raise self.error("an attribute type such as CN is missing")
        self.at = match.end()
        self.spaces()
        if self.peek() != "=":
            raise self.error("'=' is missing")
        self.at += 1
        self.spaces()
        kind = _type(match.group("type"))
        if self.peek() == '"':
            return kind, self.quoted()
        if self.peek() == "#":
            return kind, self.hexadecimal()
        return kind, self.plain()

    def escape(self) -> bytes:
        """What follows a backslash: two hexadecimal digits (one byte), or a special character."""
        pair = self.text[self.at : self.at + 2]
        if len(pair) == 2 and set(pair) <= HEX:
            self.at += 2
            return bytes.fromhex(pair)
        char = self.peek()
        if not char or char not in ESCAPABLE:
            raise self.error("a backslash before something that is not escaped that way")
        self.at += 1
        return char.encode()

    def decode(self, value: bytes) -> str:
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            raise self.error("escaped bytes that are not UTF-8") from None

    def encode(self, char: str) -> bytes:
        try:
            return char.encode("utf-8")
        except UnicodeEncodeError:
            raise self.error("a lone surrogate") from None

    def quoted(self) -> str:
        """A value in double quotes (RFC 1779, RFC 2253 section 4)."""
        self.at += 1
        value = b""
        while self.peek() != '"':
            char = self.peek()
            if not char:
                raise self.error("the closing quote is missing")
            self.at += 1
            value += self.escape() if char == "\\" else self.encode(char)
        self.at += 1
        self.spaces()
        return self.decode(value)

    def hexadecimal(self) -> str:
        """``#`` and the BER encoding of the value (RFC 4514 section 2.4)."""
        match = re.compile(r"#((?:[0-9A-Fa-f]{2})+) *").match(self.text, self.at)
        if match is None:
            raise self.error("'#' without hexadecimal digits")
        raw = bytes.fromhex(match.group(1))
        # Short form of the length only: the values allowed here are far below 128 bytes.
        if len(raw) < 2 or raw[0] not in STRING_TAGS or raw[1] > 127 or len(raw) != raw[1] + 2:
            raise self.error("a '#' value that is not a string")
        try:
            value = raw[2:].decode(STRING_TAGS[raw[0]])
        except UnicodeDecodeError:
            raise self.error("a '#' value that does not decode") from None
        self.at = match.end()
        return value

    def plain(self) -> str:
        value = b""
        kept = 0  # length up to which trailing spaces are escaped, hence meant
        while self.peek() and self.peek() not in ",;+":
            char = self.peek()
            if char in '"<>':
                raise self.error(f"{char!r} without a backslash")
            self.at += 1
            if char == "\\":
                value += self.escape()
                kept = len(value)
            else:
                value += self.encode(char)
        return self.decode(value[:kept] + value[kept:].rstrip(b" "))


def parse(text: str) -> DN:
    """Read a name from text: RFC 4514, RFC 2253, RFC 1779 (quotes, ``;``, spaces), ``OID.1.2.3=``, ``#`` values.

    :raises DnError: the text is not a distinguished name
    """
    if not isinstance(text, str):
        raise DnError(f"a distinguished name is a string, not {type(text).__name__}")
    return _Parser(text).name()


def from_name(name: x509.Name) -> DN:
    """The DN of a decoded X.509 name."""
    rdns = []
    for rdn in reversed(list(name.rdns)):
        found = []
        for attribute in rdn:
            if not isinstance(attribute.value, str):
                raise DnError(f"the value of {attribute.oid.dotted_string} is not a string")
            found.append((OIDS.get(attribute.oid.dotted_string, attribute.oid.dotted_string), attribute.value))
        rdns.append(_rdn(found))
    return DN(tuple(rdns))


def from_certificate(certificate: x509.Certificate | x509.CertificateSigningRequest) -> DN:
    """The subject of a certificate or of a signing request."""
    return from_name(certificate.subject)


def from_subject(subject: Mapping[str, t.Any]) -> DN:
    """The DN of a mapping with common_name, organizational_unit and organization, checked by check_subject."""
    unknown = sorted(set(subject) - set(SUBJECT_KEYS))
    missing = [key for key in SUBJECT_KEYS if key not in subject]
    if unknown or missing:
        raise DnError(
            f"a subject has exactly {', '.join(SUBJECT_KEYS)}"
            + (f"; not allowed: {', '.join(map(str, unknown))}" if unknown else "")
            + (f"; missing: {', '.join(missing)}" if missing else "")
        )
    for key in SUBJECT_KEYS:
        _check_value(key, subject[key])
    return DN(tuple(((kind, subject[LONG_NAMES[kind]]),) for kind in SUBJECT_PARTS))


def _check_value(key: str, value: t.Any) -> None:
    if not isinstance(value, str):
        raise DnError(f"{key} is {value!r}, a {type(value).__name__}; write it as text in quotes")
    if not 1 <= len(value) <= MAX_LENGTH:
        raise DnError(f"{key} is {value!r}, {len(value)} characters; allowed are 1 to {MAX_LENGTH}")
    if value != value.strip():
        raise DnError(f"{key} is {value!r}; remove the space at its start or end")
    for char in value:
        if not (char in PUNCTUATION or char in DIGITS or unicodedata.category(char).startswith("L")):
            raise DnError(
                f"{key} is {value!r}; {char!r} (U+{ord(char):04X}) is not allowed: "
                "use letters, digits, space and . - _ @ ' &"
            )
    # Without this, two names that look and read the same are two identities.
    if unicodedata.normalize("NFC", value) != value:
        raise DnError(f"{key} is {value!r}; write it in Unicode's composed form (NFC)")


def check_subject(subject: Subject) -> DN:
    """The strict policy for subjects of users, services, nodes and proxies: one CN, one OU, one O, in that order.

    Returns the DN.

    :raises DnError: says which part, its value and what is allowed
    """
    if not isinstance(subject, DN):
        return from_subject(subject)
    if any(len(rdn) != 1 for rdn in subject.rdns):
        raise DnError(f"{subject} joins attributes with '+'; write one per part")
    kinds = tuple(rdn[0][0] for rdn in subject.rdns)
    if kinds != SUBJECT_PARTS:
        raise DnError(
            f"{subject} has the parts {','.join(kinds) or '(none)'}; a subject is exactly CN, OU, O in that order"
        )
    for rdn in subject.rdns:
        _check_value(LONG_NAMES[rdn[0][0]], rdn[0][1])
    return subject


def _folded(value: str) -> str:
    # Twice: NFKC of a casefolded text may differ from it (Unicode Standard section 3.13, toNFKC_Casefold).
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", value).casefold()).strip()


def confusable(dn: DN) -> str:
    """A text that is the same for names which differ only in letter case or in Unicode's compatibility forms."""
    return "\0".join(f"{kind}={_folded(value)}" for rdn in dn.rdns for kind, value in rdn)


def is_reserved(subject: Subject) -> bool:
    """Whether an OU is one of those that only the platform's own identities may carry, in any spelling of it."""
    values: Sequence[t.Any]
    if isinstance(subject, DN):
        values = subject.values("OU")
    else:
        value = subject.get("organizational_unit", "")
        values = list(value) if isinstance(value, (list, tuple)) else [value]
    return any(_folded(str(value)).startswith(RESERVED_OU_PREFIX) for value in values)


def is_probe(subject: Subject) -> bool:
    """Whether the common name is one that only the platform's login probes may carry."""
    values = subject.values("CN") if isinstance(subject, DN) else (str(subject.get("common_name", "")),)
    return any(_folded(value).startswith(PROBE_PREFIX) for value in values)


def check_rules(rules: Sequence[Mapping[str, t.Any]]) -> None:
    """Refuse rules that cannot mean what their author wanted.

    :raises DnError: says which rule (counted from 1) and what to change
    """
    for number, rule in enumerate(rules, start=1):
        where = f"access rule {number}"
        if (
            set(rule) != {"role", "match"}
            or not isinstance(rule["role"], str)
            or not isinstance(rule["match"], Mapping)
        ):
            raise DnError(f"{where} is {dict(rule)!r}; it needs `role` and `match`, nothing else")
        if not rule["match"]:
            raise DnError(f"{where} ({rule['role']}) matches everybody; name at least one attribute")
        for key, wanted in rule["match"].items():
            if key not in SUBJECT_KEYS:
                raise DnError(f"{where} ({rule['role']}) compares {key!r}; allowed are {', '.join(SUBJECT_KEYS)}")
            values = wanted if isinstance(wanted, (list, tuple)) else [wanted]
            if not values or not all(isinstance(value, str) and value for value in values):
                raise DnError(f"{where} ({rule['role']}) compares {key} with {wanted!r}; give text or a list of texts")


def match(dn: DN, rules: Sequence[Mapping[str, t.Any]]) -> str | None:
    """The role of a name: that of the first rule whose attributes all equal the name's, else None.

    rules: ``[{"role": "viewer", "match": {"organization": "Platform", "organizational_unit": ["Audit", "Law"]}}]``;
    a list means "one of". Names outside the subject policy and the platform's own identities have no role.

    :raises DnError: a rule is malformed
    """
    check_rules(rules)
    try:
        attributes = check_subject(dn).attributes
    except DnError:
        return None
    if is_reserved(dn):
        return None
    for rule in rules:
        if all(
            attributes[key] in (wanted if isinstance(wanted, (list, tuple)) else [wanted])
            for key, wanted in rule["match"].items()
        ):
            return str(rule["role"])
    return None
