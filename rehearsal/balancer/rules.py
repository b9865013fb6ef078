"""Listener rules as HAProxy directives."""

from __future__ import annotations

import re

from rehearsal.balancer.model import Condition, FixedResponse, Forward, LoadBalancer, Redirect, Rule, short

SUPPORTED = ("host-header", "path-pattern", "http-request-method", "http-header", "query-string", "source-ip")


def quote(text: str) -> str:
    """`text` as one argument of a HAProxy configuration line (weak quotes, special characters escaped)."""
    escaped = re.sub(r'([\\"$])', r"\\\1", text)
    return f'"{escaped}"'


def pattern(glob: str) -> str:
    """An anchored regular expression for a rule's pattern: `*` any characters, `?` exactly one."""
    body = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in glob)
    return f"^{body}$"


def group_backend(balancer: LoadBalancer, group_arn: str) -> str:
    """Name of the backend that serves a target group on a load balancer."""
    return f"tg-{short(balancer.arn, group_arn)}"


def render_rules(balancer: LoadBalancer, rules: tuple[Rule, ...], bodies: dict[str, str]) -> list[str]:
    """Directives of a frontend for `rules`. Fixed bodies are added to `bodies` (file name → text)."""
    ordered = sorted(rules, key=lambda rule: (rule.priority == 0, rule.priority))
    lines = []
    for rule in ordered:
        tests = []
        for number, condition in enumerate(rule.conditions):
            name = f"r{rule.priority}_{number}"
            lines += [f"acl {name} {test}" for test in _tests(condition)]
            tests.append(name)
        when = " ".join(["!{ var(txn.rule) -m found }", *tests])
        lines.append(f"http-request set-var(txn.rule) int({rule.priority}) if {when}")
    for rule in ordered:
        lines += _action(balancer, rule, bodies)
    # HAProxy chooses the backend after all http-request rules, wherever the line stands, and warns otherwise
    return sorted(lines, key=lambda line: line.startswith("use_backend"))


def _tests(condition: Condition) -> list[str]:
    """The alternatives of a condition: ACL lines of the same name are OR-ed by HAProxy."""
    tests = []
    for value in condition.values:
        regex = quote(pattern(value))
        match condition.field:
            case "host-header":
                tests.append(f"req.hdr(host),field(1,:) -m reg -i {regex}")
            case "path-pattern":
                tests.append(f"path -m reg {regex}")
            case "http-request-method":
                tests.append(f"method {quote(value)}")
            case "http-header":
                tests.append(f"req.fhdr({condition.header}) -m reg -i {regex}")
            case "query-string":
                name, _, wanted = value.rpartition("=")
                fetch = f"url_param({name})" if name else "query"
                tests.append(f"{fetch} -m reg -i {quote(pattern(wanted))}")
            case "source-ip":
                tests.append(f"src {quote(value)}")
    return tests


def _action(balancer: LoadBalancer, rule: Rule, bodies: dict[str, str]) -> list[str]:
    chosen = f"{{ var(txn.rule) -m int {rule.priority} }}"
    match rule.action:
        case FixedResponse(status=status, content_type=content_type, body=body):
            line = f"http-request return status {status}"
            if body:
                name = f"body-{short(body)}.txt"
                bodies[name] = body
                line += f" content-type {quote(content_type)} file {name}"
            return [
                f"http-request set-var(txn.action) str(fixed-response) if {chosen}",
                f"{line} if {chosen}",
            ]
        case Redirect():
            return _redirect(rule.action, chosen)
        case Forward(groups=groups):
            return _forward(balancer, groups, rule.priority, chosen)
    raise AssertionError(rule.action)


def _redirect(action: Redirect, chosen: str) -> list[str]:
    def fill(template: str, query: str) -> str:
        values = {
            "#{protocol}": "%[var(txn.scheme)]",
            "#{host}": "%[var(txn.host),field(1,:)]",
            "#{port}": "%[dst_port]",
            "#{path}": "%[path,regsub(^/,)]",
            "#{query}": query,
        }
        literal = template.replace("%", "%%")
        return re.sub(r"#\{\w+\}", lambda found: values.get(found[0], ""), literal)

    scheme = fill(action.protocol, "").lower() if not action.protocol.startswith("#") else fill(action.protocol, "")
    base = f"{scheme}://{fill(action.host, '')}:{fill(action.port, '')}{fill(action.path, '')}"
    lines = [f"http-request set-var(txn.action) str(redirect) if {chosen}"]
    variants = [(f"?{fill(action.query, '%[query]')}", "{ query -m found }"), ("", "")]
    if "#{query}" not in action.query:
        variants = [(f"?{action.query}" if action.query else "", "")]
    for suffix, when in variants:
        location = quote(base + suffix)
        lines.append(f"http-request set-var-fmt(txn.location) {location} if {chosen} {when}".rstrip())
        lines.append(f"http-request redirect location {location} code {action.status} if {chosen} {when}".rstrip())
    return lines


def _forward(balancer: LoadBalancer, groups: tuple[tuple[str, int], ...], priority: int, chosen: str) -> list[str]:
    """use_backend lines. Several groups share the requests by weight.

    With no healthy target an ALB sends requests to all of them ("fail open"): the backend's twin without checks.
    """
    weighted = [(arn, weight) for arn, weight in groups if weight > 0] or list(groups)
    total = sum(max(weight, 1) for _, weight in weighted)
    lines = [
        f"http-request set-var(txn.action) str(forward) if {chosen}",
        f"http-request set-var(txn.share) rand({total}) if {chosen}",
    ]
    below = 0
    for number, (arn, weight) in enumerate(weighted):
        below += max(weight, 1)
        backend = group_backend(balancer, arn)
        share = f"{{ var(txn.share) -m int lt {below} }}" if number < len(weighted) - 1 else ""
        lines.append(f"use_backend {backend} if {chosen} {share} {{ nbsrv({backend}) gt 0 }}")
        lines.append(f"use_backend {backend}-open if {chosen} {share}")
    return [re.sub(r" +", " ", line).rstrip() if line.startswith("use_backend") else line for line in lines]
