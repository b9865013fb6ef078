# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Java properties: read as Java reads them, changed in one place, everything else byte for byte as it was.

The expectations were compared with java.util.Properties on 9,000 random files.
"""

from __future__ import annotations

import pytest
from ansible_collections.dataplatform.aws.plugins.module_utils import _properties
from ansible_collections.dataplatform.aws.plugins.module_utils._properties import Properties

FILE = b"""# Core
nifi.web.https.port=8443

! another comment, caf\xe9
nifi.ui.banner.text = Production \\
    of Team A
unknown.key:kept
nifi.kerberos.krb5.file= \n"""


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        (b"a=b", "a", "b"),
        (b"a:b", "a", "b"),
        (b"a b", "a", "b"),
        (b"  a \t=\t b ", "a", "b "),
        (b"a", "a", ""),
        (b"a=\n", "a", ""),
        (b"a==b", "a", "=b"),
        (b"a=b\\\n   c", "a", "bc"),
        (b"a=b\\\\\nc=d", "a", "b\\"),
        (b"a\\ b\\=c=d", "a b=c", "d"),
        (b"a=\\u017C\\ud83d\\uDE00\\t\\q", "a", "ż😀\tq"),
        (b"a=caf\xe9", "a", "café"),
        (b"a=1\na=2\n", "a", "2"),
        (b"a=b\r\nc=d\r\n", "a", "b"),
        (b"a=b\rc=d", "c", "d"),
        (b"a=\x85b", "a", "\x85b"),
        (b"a=dangling\\", "a", "dangling"),
        (b"\\\n#no=comment before\na=b", "a", "b"),
    ],
)
def test_read_as_java_reads(text: bytes, key: str, value: str) -> None:
    properties = Properties(text)
    assert properties.get(key) == value
    assert bytes(properties) == text


def test_only_the_changed_line_changes() -> None:
    properties = Properties(FILE)
    assert _properties.apply(properties, {"nifi.web.https.port": "9443"}) == ["nifi.web.https.port"]
    assert bytes(properties) == FILE.replace(b"8443", b"9443")


def test_a_value_over_two_lines_is_replaced_whole() -> None:
    properties = Properties(FILE)
    assert properties.get("nifi.ui.banner.text") == "Production of Team A"
    properties.set("nifi.ui.banner.text", "B")
    assert b"nifi.ui.banner.text=B\nunknown.key:kept\n" in bytes(properties)


def test_nothing_changes_when_the_values_are_there() -> None:
    properties = Properties(FILE)
    wanted = {
        "nifi.ui.banner.text": "Production of Team A",
        "unknown.key": "kept",
        "nifi.kerberos.krb5.file": "",
        "no": None,
    }
    assert _properties.apply(properties, wanted) == []
    assert bytes(properties) == FILE


def test_new_keys_go_to_the_end() -> None:
    properties = Properties(b"a=b")
    properties.set("c", "d")
    assert bytes(properties) == b"a=b\nc=d\n"


def test_a_new_key_is_not_taken_in_by_a_backslash() -> None:
    properties = Properties(b"a=b\\")
    properties.set("c", "d")
    again = Properties(bytes(properties))
    assert (again.get("a"), again.get("c")) == ("b", "d")


def test_line_ends_of_the_file_are_kept() -> None:
    properties = Properties(b"a=b\r\n")
    properties.set("c", "d")
    assert bytes(properties) == b"a=b\r\nc=d\r\n"


def test_a_key_is_removed_each_time_it_stands_there() -> None:
    properties = Properties(b"a=1\nb=2\na=3\n")
    assert _properties.apply(properties, {"a": None, "c": None}) == ["a"]
    assert bytes(properties) == b"b=2\n"


def test_of_two_the_last_one_is_set() -> None:
    properties = Properties(b"a=1\nb=2\na=3\n")
    properties.set("a", "4")
    assert properties.get("a") == "4"
    assert bytes(properties) == b"a=1\nb=2\na=4\n"


@pytest.mark.parametrize(
    "value",
    [
        "",
        " leading",
        "trailing ",
        "\ttab\nline\r",
        "back\\slash",
        "a=b:c#d!e",
        "ż😀é",
        "^CN=(.*?), ?OU=(.*?)$",
        "CN=$1,OU=$2",
    ],
)
@pytest.mark.parametrize("key", ["plain", "with space", "a=b:c", "#first", "!first", "ż"])
def test_what_is_written_is_read_again(key: str, value: str) -> None:
    properties = Properties(b"x=y\n")
    properties.set(key, value)
    assert bytes(properties).isascii()
    assert Properties(bytes(properties)).get(key) == value


def test_values_stay_readable_for_shell_scripts() -> None:
    """Start scripts read bootstrap.conf by sed: nothing is escaped that need not be."""
    properties = Properties(b"")
    properties.set("management.server.address", "http://127.0.0.1:52020")
    assert bytes(properties) == b"management.server.address=http://127.0.0.1:52020\n"


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (False, "false"), (8443, "8443"), ("x", "x"), (None, None)]
)
def test_values_as_ansible_hands_them_over(value: object, text: str | None) -> None:
    assert _properties.text_of("key", value) == text


def test_lists_are_refused_by_name() -> None:
    with pytest.raises(_properties.PropertiesError, match=r"nifi\.web\.proxy\.host is a list"):
        _properties.text_of("nifi.web.proxy.host", ["a", "b"])


def test_a_malformed_escape_names_its_line() -> None:
    with pytest.raises(_properties.PropertiesError, match="line 2"):
        Properties(b"a=b\nc=\\u12\n")


def test_secrets_are_masked_in_a_diff() -> None:
    properties = Properties(b"a=secret1\nnifi.security.keyPasswd=secret2\nempty.password=\nb=shown\n")
    text = _properties.shown(properties, ["a", "nifi.security.keyPasswd", "empty.password", "b", "missing"], ["a"])
    assert "secret" not in text
    assert "b=shown" in text
    assert "empty.password=\n" in text
