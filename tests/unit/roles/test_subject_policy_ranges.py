"""The edge's list of refused code points, against Unicode itself."""

import re
import unicodedata
from pathlib import Path

import pytest

SUBJECT = (
    Path(__file__).parents[3] / "collections/ansible_collections/dataplatform/aws/roles/edge/files/subject.lua"
).read_text("utf-8")
RANGES = [(int(low, 16), int(high, 16)) for low, high in re.findall(r"\{0x([0-9a-f]+), 0x([0-9a-f]+)\}", SUBJECT)]


def refused(char: str) -> bool:
    return any(low <= ord(char) <= high for low, high in RANGES)


def test_the_list_was_found():
    assert len(RANGES) > 40


def test_everything_that_folds_to_ascii_is_refused():
    """Else a full-width "Platform-Proxies" would pass for an ordinary OU here and be a reserved one elsewhere."""
    missed = [
        f"U+{point:04X} {unicodedata.name(chr(point), '?')}"
        for point in range(0x80, 0x110000)
        if not 0xD800 <= point < 0xE000
        and unicodedata.normalize("NFKC", chr(point)) != chr(point)
        and any(char < "\x80" for char in unicodedata.normalize("NFKC", chr(point)))
        and not refused(chr(point))
    ]
    assert missed == []


def test_everything_invisible_is_refused():
    missed = [
        f"U+{point:04X} {unicodedata.name(chr(point), '?')}"
        for point in range(0x80, 0x110000)
        if unicodedata.category(chr(point)) in {"Cc", "Cf", "Zs", "Zl", "Zp", "Co"}
        and not refused(chr(point))
        # These signs of Arabic, Syriac, Egyptian and Kaithi are written, not invisible.
        and not 0x0600 <= point <= 0x08FF
        and point not in {0x110BD, 0x110CD}
        and not 0x13430 <= point <= 0x1345F
    ]
    assert missed == []


@pytest.mark.parametrize(
    "name", ["Łukasz", "José", "Ørsted", "Жанна", "Δημήτρης", "渡辺", "さくら", "김민준", "אבי", "ليلى"]
)
def test_names_of_people_pass(name):
    assert not [char for char in name if char >= "\x80" and refused(char)]
