"""Instances of the emulated account are real hosts: what a person who logs in to one finds."""

from __future__ import annotations

import json
import shlex

from rehearsal import session
from rehearsal.hosts.podman import Podman
from tests.integration.hosts.conftest import Site, wait_for

TOKEN = (
    'T=$(curl -s -m 3 -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" http://169.254.169.254/latest/api/token); '
    'curl -s -m 3 -H "X-aws-ec2-metadata-token: $T" http://169.254.169.254/latest/'
)


def test_a_host_has_its_instance_name_and_address(site: Site) -> None:
    said = site.describe("web")
    assert site.ssh("web", "hostname --fqdn").stdout.strip() == said["PrivateDnsName"]
    assert said["PrivateIpAddress"] in site.ssh("web", "ip -4 -oneline address show eth0").stdout


def test_nobody_logs_in_with_another_key(site: Site, tmp_path) -> None:
    other = Site(**{**vars(site), "environment": {**site.environment, "DATAPLATFORM_SSH_KEY": str(tmp_path / "none")}})
    assert other.ssh("web", "true").returncode != 0


def test_every_process_knows_the_account(site: Site) -> None:
    """A login, sudo, and a unit of systemd find the account's API without being told by the product."""
    expected = "AWS_ENDPOINT_URL=http://10.77.0.1:4566"
    assert expected in site.ssh("web", "env").stdout
    assert expected in site.ssh("web", "sudo env").stdout
    assert expected in site.ssh("web", "sudo systemd-run --wait --pipe --quiet env").stdout


def test_user_data_ran_at_first_boot(site: Site) -> None:
    assert site.ssh("web", "cloud-init status --wait", 120).stdout.strip().endswith("done")
    assert site.ssh("web", "cat /var/lib/first-boot").stdout.split()[0] == site.describe("web")["PrivateDnsName"]


def test_the_metadata_service_wants_a_token(site: Site) -> None:
    code = site.ssh("web", "curl -s -m 15 -o /dev/null -w '%{http_code}' http://169.254.169.254/latest/meta-data/")
    assert code.stdout == "401"
    assert site.ssh("web", TOKEN + "meta-data/instance-id").stdout == site.instances["web"]
    assert site.ssh("web", TOKEN + "meta-data/tags/instance/Name").stdout == "web"


def test_the_identity_document_names_the_account(site: Site) -> None:
    found = json.loads(site.ssh("web", TOKEN + "dynamic/instance-identity/document").stdout)
    assert (found["accountId"], found["instanceId"]) == ("222233334444", site.instances["web"])


def test_a_host_acts_as_its_instance_profiles_role(site: Site) -> None:
    script = "import boto3; print(boto3.client('sts', region_name='eu-central-1').get_caller_identity()['Arn'])"
    patient = "AWS_METADATA_SERVICE_TIMEOUT=5 AWS_METADATA_SERVICE_NUM_ATTEMPTS=5"
    said = site.ssh("web", f"{patient} /usr/bin/python3 -c {shlex.quote(script)}", 60)
    expected = f"arn:aws:sts::222233334444:assumed-role/hosts-test/{site.instances['web']}"
    assert said.stdout.strip() == expected, said.stderr


def test_names_of_the_vpc_resolve_and_no_others(site: Site) -> None:
    client = site.describe("client")
    assert client["PrivateIpAddress"] in site.ssh("web", f"getent hosts {client['PrivateDnsName']}").stdout
    assert site.ssh("web", "getent hosts example.com").returncode != 0


def test_only_what_a_group_admits_gets_through(site: Site) -> None:
    """`web` admits 8080 from the group `client`, and nothing else from anybody."""
    assert site.connects("client", "web", 8080)
    assert not site.connects("client", "web", 8081)
    assert not site.connects("client", "web", 22)
    assert not site.connects("web", "client", 8080)


def test_a_changed_group_is_followed(site: Site) -> None:
    rule = [{"IpProtocol": "tcp", "FromPort": 9000, "ToPort": 9010, "IpRanges": [{"CidrIp": "10.77.0.0/16"}]}]
    assert not site.connects("client", "web", 9005)
    site.ec2.authorize_security_group_ingress(GroupId=site.groups["web"], IpPermissions=rule)
    wait_for(lambda: site.connects("client", "web", 9005), 60, "9005 open")
    site.ec2.revoke_security_group_ingress(GroupId=site.groups["web"], IpPermissions=rule)
    wait_for(lambda: not site.connects("client", "web", 9005), 60, "9005 closed")


def test_without_a_way_out_a_host_reaches_no_service(site: Site) -> None:
    """AWS's services are reached over HTTPS: a group without it cuts the host off, here as there."""
    ask = "curl -s -m 3 -o /dev/null http://10.77.0.1:4566/_rehearsal/ready"
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    assert site.ssh("client", ask).returncode == 0
    site.ec2.revoke_security_group_egress(GroupId=site.groups["client"], IpPermissions=everything)
    wait_for(lambda: site.ssh("client", ask).returncode != 0, 60, "cut off")
    site.ec2.authorize_security_group_egress(GroupId=site.groups["client"], IpPermissions=everything)
    wait_for(lambda: site.ssh("client", ask).returncode == 0, 60, "back")


def test_nobody_on_a_host_can_open_its_packet_filter(site: Site) -> None:
    assert site.ssh("client", "sudo nft flush ruleset").returncode != 0
    assert not site.connects("client", "web", 8081)


def test_packages_come_through_the_gateway_and_nothing_else_does(site: Site) -> None:
    proxy = "http://10.77.0.1:8180"
    done = site.ssh("client", f"curl -s -m 5 -o /dev/null -w '%{{http_code}}' -x {proxy} http://example.com/")
    assert done.stdout == "403"


def test_a_stopped_host_starts_again_with_its_disk_and_address(site: Site) -> None:
    address = site.address("client")
    assert site.ssh("client", "echo kept | sudo tee /var/lib/kept").returncode == 0
    site.ec2.stop_instances(InstanceIds=[site.instances["client"]])
    wait_for(lambda: site.instances["client"] not in session.status()["hosts"], 30, "stopped")
    site.ec2.start_instances(InstanceIds=[site.instances["client"]])
    site.up("client")
    assert site.address("client") == address
    assert site.ssh("client", "cat /var/lib/kept").stdout.strip() == "kept"
    assert site.connects("client", "web", 8080)


def test_a_host_whose_systemd_ends_is_started_again(site: Site) -> None:
    before = session.status()["hosts"][site.instances["client"]]
    site.ssh("client", "sudo systemctl poweroff")
    wait_for(lambda: session.status()["hosts"].get(site.instances["client"], before) != before, 30, "another systemd")
    site.up("client")


def test_a_terminated_instance_has_no_host(site: Site) -> None:
    name = site.launch("short", "client")
    site.up("short")
    site.ec2.terminate_instances(InstanceIds=[name])
    wait_for(lambda: name not in session.status()["hosts"], 30, "host gone")
    wait_for(lambda: name not in Podman()("ps", "--all", "--format", "{{.Names}}"), 15, "container gone")
