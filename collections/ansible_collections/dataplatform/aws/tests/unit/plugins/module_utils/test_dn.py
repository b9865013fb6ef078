"""Distinguished names: every rendering of one name is one identity; everything else is another one."""

from __future__ import annotations

import datetime as dt
import random

import pytest
from ansible_collections.dataplatform.aws.plugins.module_utils import _dn
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

RULES = [
    {"role": "admin", "match": {"organization": "Platform", "organizational_unit": "PlatformAdmins"}},
    {"role": "engineer", "match": {"organization": "Platform", "organizational_unit": "DataEng"}},
    {"role": "viewer", "match": {"organization": "Platform", "organizational_unit": ["Analytics", "Audit"]}},
    {"role": "operator", "match": {"common_name": "alice"}},
]


def der_name(*parts: tuple[str, str]) -> x509.Name:
    """A name in DER order."""
    return x509.Name([x509.NameAttribute(x509.ObjectIdentifier(_dn.SHORT_NAMES[kind]), value) for kind, value in parts])


@pytest.mark.parametrize(
    "text",
    [
        "CN=alice,OU=DataEng,O=Platform",
        "CN=alice, OU=DataEng, O=Platform",
        "  cn = alice ; ou = DataEng ; o = Platform  ",
        'CN="alice",OU="DataEng",O="Platform"',
        "2.5.4.3=alice,OID.2.5.4.11=DataEng,oid.2.5.4.10=Platform",
        r"CN=\61lice,OU=DataEng,O=Platform",
        "CN=#0c05616c696365,OU=#1307446174 61456E67,O=Platform".replace(" ", ""),
    ],
)
def test_renderings_of_one_name_are_one_identity(text: str) -> None:
    assert _dn.parse(text) == _dn.from_name(der_name(("O", "Platform"), ("OU", "DataEng"), ("CN", "alice")))
    assert _dn.parse(text).rfc4514() == "CN=alice,OU=DataEng,O=Platform"


@pytest.mark.parametrize(
    "text",
    [
        "O=Platform,OU=DataEng,CN=alice",  # the same parts, another DER order
        "CN=Alice,OU=DataEng,O=Platform",
        "CN=\u0430lice,OU=DataEng,O=Platform",  # Cyrillic a
        "CN=alice,OU=DataEng,OU=PlatformAdmins,O=Platform",
        "CN=alice+OU=DataEng,O=Platform",
        "CN=alice,OU=DataEng",
        r"CN=alice\ ,OU=DataEng,O=Platform",
        "UID=alice,OU=DataEng,O=Platform",
    ],
)
def test_look_alikes_are_other_identities(text: str) -> None:
    assert _dn.parse(text) != _dn.parse("CN=alice,OU=DataEng,O=Platform")
    assert _dn.match(_dn.parse(text), RULES[1:2]) in (None, "engineer")
    if "OU=DataEng,O=Platform" not in text or text.count("OU") > 1:
        assert _dn.match(_dn.parse(text), RULES[:3]) is None


def test_balancer_java_and_certificate_agree_on_commas_and_utf8() -> None:
    name = der_name(("O", "Acme, Inc."), ("OU", "people"), ("CN", "Paweł Ł"))
    balancer = r"CN=Pawe\C5\82 \C5\81,OU=people,O=Acme\, Inc."
    java = 'CN=Paweł Ł, OU=people, O="Acme, Inc."'
    assert _dn.parse(balancer) == _dn.parse(java) == _dn.from_name(name)
    assert _dn.parse(balancer).rfc4514() == "CN=Paweł Ł,OU=people,O=Acme\\, Inc."


def test_multi_valued_parts_have_no_order() -> None:
    assert _dn.parse("CN=a+UID=7,O=x") == _dn.parse("uid=7 + cn=a, o=x")
    name = x509.Name(
        [
            x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "x")]),
            x509.RelativeDistinguishedName(
                [x509.NameAttribute(NameOID.USER_ID, "7"), x509.NameAttribute(NameOID.COMMON_NAME, "a")]
            ),
        ]
    )
    assert _dn.from_name(name) == _dn.parse("CN=a+UID=7,O=x")
    assert _dn.parse("CN=a+UID=7,O=x").attributes == {"common_name": "a", "user_id": "7", "organization": "x"}
    assert _dn.parse("CN=a,DC=b,DC=c").attributes["domain_component"] == ("b", "c")


@pytest.mark.parametrize(
    "text",
    [
        "alice",
        "CN",
        "=alice",
        "CN=alice,",
        "CN=alice,,O=x",
        'CN="alice',
        'CN="a"b,O=x',
        "CN=a<b",
        'CN=a"b',
        "CN=a\\",
        "CN=a\\q",
        "CN=\\FF",
        "CN=#",
        "CN=#0c0561",
        "CN=#3003020100",
        "FOO=bar",
        "CN=a+CN=a",
        "/CN=alice/O=Platform",
        "CN=\ud800",
    ],
)
def test_what_is_not_a_name_is_refused(text: str) -> None:
    with pytest.raises(_dn.DnError):
        _dn.parse(text)


def test_errors_say_where() -> None:
    with pytest.raises(_dn.DnError, match=r"'=' is missing at character 12 of 'CN=alice,OU<x'"):
        _dn.parse("CN=alice,OU<x")


def test_text_survives_a_round_trip() -> None:
    alphabet = 'ab ,+"\\<>;=#/\n\u0141\u0430\U0001f600'
    source = random.Random(1)
    for attempt in range(3000):
        rdns = tuple(
            ((kind, "".join(source.choice(alphabet) for attempt in range(source.randint(0, 6)))),)
            for kind in source.sample(["CN", "OU", "O", "L", "1.2.3.4"], source.randint(1, 4))
        )
        dn = _dn.DN(rdns)
        assert _dn.parse(dn.rfc4514()) == dn


def test_certificates_and_requests_give_their_subject() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = der_name(("O", "Platform"), ("OU", "DataEng"), ("CN", "alice"))
    now = dt.datetime.now(dt.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    assert _dn.from_certificate(certificate) == _dn.from_certificate(request)
    assert str(_dn.from_certificate(certificate)) == "CN=alice,OU=DataEng,O=Platform"


def subject(cn: object = "alice", ou: object = "DataEng", o: object = "Platform") -> dict[str, object]:
    return {"common_name": cn, "organizational_unit": ou, "organization": o}


@pytest.mark.parametrize("cn", ["alice", "Paweł Łoś", "O'Brien", "a.b-c_d@e & f", "x" * 64, "工程"])
def test_subjects_within_the_policy(cn: str) -> None:
    dn = _dn.check_subject(subject(cn))
    assert dn.rfc4514() == f"CN={cn},OU=DataEng,O=Platform"
    assert _dn.check_subject(dn) is dn


@pytest.mark.parametrize(
    ("cn", "message"),
    [
        ("", "1 to 64"),
        ("x" * 65, "65 characters"),
        (" alice", "space at its start"),
        ("alice ", "space at its start or end"),
        ("a,b", r"U\+002C"),
        ("a=b", r"U\+003D"),
        ("a\\b", "not allowed"),
        ("a<b>", "not allowed"),
        ('a"b', "not allowed"),
        ("a\nb", r"U\+000A"),
        ("a\u202eb", r"U\+202E"),
        ("a\u00a0b", r"U\+00A0"),
        ("\u0661", r"U\+0661"),
        ("Pawe\u006c\u0301", "not allowed"),
        (7, "write it as text in quotes"),
        (None, "write it as text in quotes"),
    ],
)
def test_subjects_outside_the_policy(cn: object, message: str) -> None:
    with pytest.raises(_dn.DnError, match=message):
        _dn.check_subject(subject(cn))


def test_subjects_have_exactly_three_parts_in_order() -> None:
    with pytest.raises(_dn.DnError, match="missing: organization"):
        _dn.check_subject({"common_name": "a", "organizational_unit": "b"})
    with pytest.raises(_dn.DnError, match="not allowed: country"):
        _dn.check_subject({**subject(), "country": "DE"})
    for text in ("O=Platform,OU=DataEng,CN=a", "CN=a,OU=b,OU=c,O=d", "CN=a", "CN=a+OU=b,O=c", "CN=a,OU=b,O=c,C=DE", ""):
        with pytest.raises(_dn.DnError):
            _dn.check_subject(_dn.parse(text))


@pytest.mark.parametrize(
    "ou",
    ["Platform-Nodes", "platform-proxies", "PLATFORM-AUTOMATION", "\uff30latform-Nodes", "platform-", " Platform-x"],
)
def test_reserved_units_in_any_spelling(ou: str) -> None:
    assert _dn.is_reserved(subject(ou=ou))
    dn = _dn.DN(((("CN", "a"),), (("OU", ou),), (("O", "Platform"),)))
    assert _dn.is_reserved(dn)
    assert _dn.match(dn, [{"role": "admin", "match": {"organization": "Platform"}}]) is None


def test_units_that_only_look_reserved() -> None:
    assert not _dn.is_reserved(subject(ou="PlatformAdmins"))
    assert not _dn.is_reserved(_dn.parse("CN=platform-x,OU=DataEng,O=Platform"))
    assert _dn.is_reserved(_dn.parse("CN=x,OU=DataEng,OU=Platform-Nodes,O=Platform"))
    assert _dn.is_probe(subject("Probe-viewer"))
    assert not _dn.is_probe(subject("prober"))


def test_the_first_matching_rule_decides() -> None:
    assert _dn.match(_dn.parse("CN=alice,OU=DataEng,O=Platform"), RULES) == "engineer"
    assert _dn.match(_dn.parse("CN=bob,OU=Audit,O=Platform"), RULES) == "viewer"
    assert _dn.match(_dn.parse("CN=alice,OU=Other,O=Platform"), RULES) == "operator"
    assert _dn.match(_dn.parse("CN=alice,OU=DataEng,O=Platform"), list(reversed(RULES))) == "operator"
    assert _dn.match(_dn.parse("CN=bob,OU=dataeng,O=Platform"), RULES) is None
    assert _dn.match(_dn.parse("CN=bob,OU=DataEng,O=platform"), RULES) is None


@pytest.mark.parametrize(
    "rule",
    [
        {"role": "admin", "match": {}},
        {"role": "admin", "match": {"ou": "x"}},
        {"role": "admin", "match": {"organization": []}},
        {"role": "admin", "match": {"organization": ""}},
        {"role": "admin"},
        {"role": "admin", "match": {"organization": "x"}, "extra": 1},
    ],
)
def test_rules_that_would_match_everybody_or_nobody_are_refused(rule: dict[str, object]) -> None:
    with pytest.raises(_dn.DnError, match="access rule 2"):
        _dn.match(_dn.parse("CN=a,OU=b,O=c"), [RULES[0], rule])
