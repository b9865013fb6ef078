"""Keys that an object of Terraform does not have are found, and what can't be read of a type finds nothing."""

from __future__ import annotations

import pytest

from driver import tftypes

VARIABLES = """
variable "one" {}
  variable "two" { type = string }
# variable "three"
variable "nifi" {
  description = "Its type = object({ nothing = string }), as one would say."
  # a comment (with a parenthesis
  type = object({
    instance_type = string # of a host
    "max"         = optional(number, max(1, 2)), volumes = optional(list(object({ gib = number })), [{ gib = 1 }])
  })
  default = { other = 1 }

  validation {
    condition     = length(var.nifi) > 0
    error_message = "none"
  }
}
variable "groups" {
  type = object({ groups = map(object({ min = number })) })
}
variable "free" {
  type = map(any)
}
variable "odd" {
  type = object({ a = tuple([string, object({ b = number })]), c = number })
}
variable "unread" {
  type = object({ a = ??? })
}
"""


@pytest.fixture
def known(tmp_path):
    (tmp_path / "variables.tf").write_text(VARIABLES)
    return tftypes.declared(tmp_path)


def test_names_of_variables(known):
    assert list(known) == ["one", "two", "nifi", "groups", "free", "odd", "unread"]


@pytest.mark.parametrize(
    ("name", "value", "path"),
    [
        ("nifi", {"instance_type": "a", "maximum": 1}, ("nifi", "maximum")),
        ("nifi", {"max": 1, "volumes": [{"gib": 1}, {"gb": 1}]}, ("nifi", "volumes", 1, "gb")),
        ("nifi", {"other": 1}, ("nifi", "other")),
        ("nifi", {"instance_type": {"any": 1}, "volumes": None}, None),
        ("nifi", "no object", None),
        ("groups", {"groups": {"web": {"min": 1}, "core": {"minimum": 1}}}, ("groups", "groups", "core", "minimum")),
        ("free", {"a": {"b": 1}}, None),
        ("odd", {"a": ["x", {"z": 1}], "c": 1}, None),
        ("odd", {"d": 1}, ("odd", "d")),
        ("one", {"a": 1}, None),
        ("two", "a", None),
        ("unread", {"b": 1}, None),
    ],
)
def test_strangers(known, name, value, path):
    assert [found for found, _ in tftypes.strangers(value, known[name], (name,))] == ([path] if path else [])
