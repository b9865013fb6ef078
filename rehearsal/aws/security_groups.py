"""Security group rules that name a group or a prefix list: their descriptions, and changing them."""

from __future__ import annotations

from typing import Any

from moto.ec2.models.security_groups import SecurityGroupBackend, SecurityGroupRule

from rehearsal.aws.patching import wraps_original

Rule: Any = SecurityGroupRule


@wraps_original(Rule, "__init__")
def _rule_init(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    original(self, *args, **kwargs)
    listed = kwargs.get("prefix_list_id") or (args[7] if len(args) > 7 else None) or {}
    self.prefix_list_description = listed.get("Description")


def _description(self: Any) -> str | None:
    """moto knows the description of a rule only when the rule names addresses.

    Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupRule.html
    """
    return (
        self.ip_range.get("Description") or self.source_group.get("Description") or self.prefix_list_description or None
    )


Rule.description = property(_description)


@wraps_original(Rule, "__eq__")
def _equal(original: Any, self: Any, other: Any) -> bool:
    """Rules that differ in nothing but their descriptions are the same rule."""
    groups = self.source_group, other.source_group
    try:
        self.source_group, other.source_group = ({k: v for k, v in g.items() if k != "Description"} for g in groups)
        return bool(original(self, other))
    finally:
        self.source_group, other.source_group = groups


@wraps_original(SecurityGroupBackend, "modify_security_group_rules")
def _modify_security_group_rules(original: Any, self: Any, group_id: str, rules: dict[str, dict[str, Any]]) -> None:
    """Also take over another referenced group, which moto leaves out.

    Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySecurityGroupRules.html
    """
    original(self, group_id, rules)
    group = self.get_security_group_by_name_or_id(group_id)
    for rule_id, asked in rules.items():
        rule = group.get_rule(rule_id)
        if asked.get("ReferencedGroupId"):
            rule.source_group = {**rule.source_group, "GroupId": asked["ReferencedGroupId"]}
        if rule.source_group or rule.prefix_list_id:
            # The new description came in where only address rules keep theirs.
            rule.source_group.pop("Description", None)
            rule.prefix_list_description = None
