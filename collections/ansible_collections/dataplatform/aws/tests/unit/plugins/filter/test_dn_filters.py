"""The filters: thin, with Ansible's own error."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.dataplatform.aws.plugins.filter.dn import FilterModule

FILTERS = FilterModule().filters()
ALICE = {"common_name": "alice", "organizational_unit": "DataEng", "organization": "Platform"}
RULES = [{"role": "engineer", "match": {"organizational_unit": ["DataEng"]}}]


def test_text_and_mapping_are_one_name() -> None:
    assert FILTERS["dn_equal"]("cn=alice, OU=DataEng, O=Platform", ALICE)
    parsed = FILTERS["dn_parse"]('CN=a+UID=b,DC=x,DC=y,O="Acme, Inc."')
    assert parsed["text"] == "CN=a+UID=b,DC=x,DC=y,O=Acme\\, Inc."
    assert parsed["attributes"]["domain_component"] == ["x", "y"]
    assert parsed["parts"][0] == [{"type": "CN", "value": "a"}, {"type": "UID", "value": "b"}]


def test_roles() -> None:
    assert FILTERS["dn_role"](ALICE, RULES) == "engineer"
    assert FILTERS["dn_role"]("CN=alice", RULES) is None


@pytest.mark.parametrize(
    ("name", "arguments"), [("dn_parse", ["alice"]), ("dn_equal", [ALICE, "x"]), ("dn_role", [ALICE, [{"role": "x"}]])]
)
def test_errors_are_ansibles(name: str, arguments: list[object]) -> None:
    with pytest.raises(AnsibleFilterError):
        FILTERS[name](*arguments)
