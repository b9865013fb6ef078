"""What stands in terraform.tfvars reads as Terraform reads it, and everything else names its line."""

from __future__ import annotations

import pytest

from driver import tfvars


def read(tmp_path, text):
    path = tmp_path / "terraform.tfvars"
    path.write_text(text)
    return tfvars.load(path, "terraform.tfvars")


def test_all_kinds_of_values(tmp_path):
    values, lines = read(
        tmp_path,
        """# comment
name = "a \\"b\\" \\u00e9"   // another
number = -1.5e2
yes = true
none = null
list = ["a",
  1,  # inside
]
nested = {
  "quoted key" = [{ a = 1, b : 2 }]
  plain = "x"
}
/* over
lines */ last = "$${kept}"
""",
    )
    assert values == {
        "name": 'a "b" é',
        "number": -150.0,
        "yes": True,
        "none": None,
        "list": ["a", 1],
        "nested": {"quoted key": [{"a": 1, "b": 2}], "plain": "x"},
        "last": "${kept}",
    }
    assert (lines["name"], lines["nested"], lines["last"]) == (2, 9, 14)


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("a = 1\nb = lower(x)\n", "terraform.tfvars:2:", "can't read"),
        ('a = "${b}"\n', "terraform.tfvars:1:", "template"),
        ("a = 1\na = 2\n", "terraform.tfvars:2:", "set twice"),
        ("a = [1 2]\n", "terraform.tfvars:1:", "expected ,"),
        ("a 1\n", "terraform.tfvars:1:", "expected ="),
        ("a = 1 b = 2\n", "terraform.tfvars:1:", "follows"),
        ("\n\na = @\n", "terraform.tfvars:3:", "can't read"),
        ("a = {\n b = 1\n", "terraform.tfvars:3:", "end of the file"),
        ("a = [\n", "terraform.tfvars:2:", "end of the file"),
    ],
)
def test_errors_name_file_and_line(tmp_path, text, where, what):
    with pytest.raises(tfvars.TfvarsError) as error:
        read(tmp_path, text)
    assert str(error.value).startswith(where)
    assert what in str(error.value)


def test_declared_variables(tmp_path):
    (tmp_path / "variables.tf").write_text('variable "one" {}\n  variable "two" {\n}\n# variable "three"\n')
    assert tfvars.declared(tmp_path) == {"one", "two"}


def test_the_examples_of_the_project_can_be_read(project):
    for env in ("dev", "ppd", "prod"):
        folder = project / "terraform" / "environments" / env
        for name in ("terraform.tfvars.example", "sizing.auto.tfvars"):
            values, _ = tfvars.load(folder / name)
            assert set(values) <= tfvars.declared(folder)
