"""Listener rules: which request meets which action."""

from __future__ import annotations

import json
import socket
from dataclasses import replace

import pytest

from rehearsal.balancer import health
from rehearsal.balancer.model import Condition, FixedResponse, Forward, Redirect, Rule, Target
from rehearsal.balancer.rules import pattern, quote


def serve(scene, *rules):
    """The scene with these rules before its default one."""
    default = scene.alb.listeners[0].rules[-1]
    listener = replace(scene.alb.listeners[0], rules=(*rules, default))
    scene.apply(replace(scene.world, balancers=(replace(scene.alb, listeners=(listener,)),)))


@pytest.mark.parametrize(
    ("condition", "path", "headers", "host"),
    [
        (Condition("host-header", ("other.test", "NIFI.*")), "/", [], "nifi.dev.rehearsal.localhost"),
        (Condition("host-header", ("n?fi.dev.*",)), "/", [], "nifi.dev.rehearsal.localhost:443"),
        (Condition("path-pattern", ("/api/*", "/nifi")), "/api/v1?x=1", [], "a.test"),
        (Condition("http-header", ("*curl*",), "User-Agent"), "/", [("User-Agent", "Curl/8")], "a.test"),
        (Condition("http-request-method", ("GET",)), "/", [], "a.test"),
        (Condition("query-string", ("version=v?",)), "/?a=b&version=v1", [], "a.test"),
        (Condition("query-string", ("*needle*",)), "/?x=a-needle-b", [], "a.test"),
        (Condition("source-ip", ("127.0.0.0/8",)), "/", [], "a.test"),
    ],
)
def test_a_condition_picks_its_requests(scene, condition, path, headers, host):
    serve(scene, Rule(5, (condition,), FixedResponse(418, "text/plain", "picked")))
    assert scene.request(path, headers, host=host)[0] == 418


@pytest.mark.parametrize(
    ("condition", "path", "host"),
    [
        (Condition("host-header", ("nifi.dev.rehearsal.localhost",)), "/", "nifi.dev.rehearsal.localhost.evil.test"),
        (Condition("host-header", ("nifi.dev.rehearsal.localhost",)), "/", "nifixdev.rehearsal.localhost"),
        (Condition("path-pattern", ("/API/*",)), "/api/v1", "a.test"),
        (Condition("http-request-method", ("POST",)), "/", "a.test"),
        (Condition("source-ip", ("203.0.113.0/24",)), "/", "a.test"),
    ],
)
def test_a_condition_leaves_the_others(scene, condition, path, host):
    serve(scene, Rule(5, (condition,), FixedResponse(418)))
    assert scene.request(path, host=host)[0] == 421


def test_the_lowest_priority_number_wins_and_all_conditions_must_hold(scene):
    both = (Condition("path-pattern", ("/a*",)), Condition("http-request-method", ("POST",)))
    everything = (Condition("path-pattern", ("/*",)),)
    serve(
        scene,
        Rule(20, everything, FixedResponse(202)),
        Rule(3, both, FixedResponse(203)),
        Rule(10, everything, FixedResponse(201)),
    )
    assert scene.request("/abc")[0] == 201


def test_a_response_body_is_sent_as_it_is(scene):
    body = 'a "quoted" $HOME %[src] \\ line\nand another'
    serve(scene, Rule(5, (Condition("path-pattern", ("*",)),), FixedResponse(200, "application/json", body)))
    status, headers, sent = scene.request()
    assert (status, headers["content-type"], sent.decode()) == (200, "application/json", body)


def test_a_redirect_may_change_every_part(scene):
    action = Redirect(302, host="www.#{host}", path="/new/#{path}", query="from=old&#{query}", port="8443")
    serve(scene, Rule(5, (Condition("path-pattern", ("*",)),), action))
    status, headers, _ = scene.request("/a/b?c=d")
    assert status == 302
    assert headers["location"] == "https://www.nifi.dev.rehearsal.localhost:8443/new/a/b?from=old&c=d"


def test_weights_share_requests_between_target_groups(scene, echo, tmp_path):
    port, other = echo(tmp_path / "server.pem")
    first = scene.alb.groups[0]
    second = replace(first, arn=first.arn + "2", targets=(Target("i-2", "127.0.0.1", port),))
    first = replace(first, sticky_seconds=None)
    second = replace(second, sticky_seconds=None)
    action = Forward(((first.arn, 1), (second.arn, 3)))
    default = scene.alb.listeners[0].rules[-1]
    listener = replace(scene.alb.listeners[0], rules=(Rule(5, (Condition("path-pattern", ("*",)),), action), default))
    scene.apply(replace(scene.world, balancers=(replace(scene.alb, listeners=(listener,), groups=(first, second)),)))
    other.name = "second"
    scene.upstream.name = "first"
    answers = [json.loads(scene.request()[2])["name"] for _ in range(60)]
    assert 3 <= answers.count("first") <= 30
    assert answers.count("second") > answers.count("first")


def test_what_checks_found_outlives_a_reload(scene):
    """A node that is down must not get requests because something else changed."""
    group = scene.alb.groups[0]
    with socket.socket() as closed:  # bound, not listening: connections are refused
        closed.bind(("127.0.0.1", 0))
        dead = Target("i-2", "127.0.0.1", closed.getsockname()[1])
        both = replace(group, targets=(*group.targets, dead), check=replace(group.check, interval=300, unhealthy=1))
        scene.apply(replace(scene.world, balancers=(replace(scene.alb, groups=(both,)),)))

        def states():
            return health.targets(scene.alb, both, health.read(scene.balancer.process.command("show stat")), {})

        name = f"i-2:{dead.port}"
        server = f"tg-{scene.balancer_key(both)}/127.0.0.1:{dead.port}"
        scene.balancer.process.command(f"set server {server} health down")
        extra = Rule(5, (Condition("path-pattern", ("/x",)),), FixedResponse(204))
        listener = replace(scene.alb.listeners[0], rules=(extra, *scene.alb.listeners[0].rules))
        scene.apply(replace(scene.world, balancers=(replace(scene.alb, listeners=(listener,)),)))
        shown = scene.balancer.process.command("show stat")
        row = next(line for line in shown.splitlines() if f"127.0.0.1:{dead.port}" in line and "-open" not in line)
        assert "DOWN" in row
        assert name in states()


@pytest.mark.parametrize("text", ["plain", 'a"b', "a$b", "a\\b", "a b"])
def test_quoting_keeps_an_argument_whole(text):
    quoted = quote(text)
    assert quoted.startswith('"')
    assert quoted.endswith('"')


def test_patterns_are_anchored_and_literal():
    assert pattern("n*.a?c") == r"^n.*\.a.c$"
