"""What happens to a platform that lives: renewal, lost machines, a lost supervisor."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import uuid

from cryptography import x509

from tests.support.rehearsal import ROOT, Rehearsal, only, wait_for


def node(rehearsal: Rehearsal) -> dict:
    return rehearsal.nodes("nifi")[0]


def served_serial(rehearsal: Rehearsal, address: str) -> int:
    """The serial of the certificate that NiFi serves, asked on its own host (the port is closed to all others)."""
    text = rehearsal.ssh(address, "openssl s_client -connect localhost:8443 </dev/null 2>/dev/null | openssl x509")
    return x509.load_pem_x509_certificate(text.encode()).serial_number


def test_a_renewed_certificate_is_served_without_a_restart(dev):
    """Acceptance 4."""
    address = node(dev)["private_ip"]
    before = served_serial(dev, address)
    process = dev.ssh(address, "systemctl show --property MainPID nifi.service")
    renew = "/usr/local/sbin/dataplatform-renew-certificates --force node"
    dev.ssh(address, f"systemd-run --quiet --wait --pipe --collect {renew}")
    wait_for(lambda: served_serial(dev, address) != before, 60, "NiFi serves its new certificate")
    assert dev.ssh(address, "systemctl show --property MainPID nifi.service") == process
    wait_for(dev.is_healthy, 120, "all is healthy")


def test_a_terminated_instance_is_replaced_and_configured(dev):
    """Acceptance 6."""
    before = node(dev)["instance_id"]
    dev.client("ec2").terminate_instances(InstanceIds=[before])
    # all that follows a lost host; whether users can log in again is verified by a later test's run
    dev.run("--yes", *only("hosts", "configuration", "access", "pipelines"))
    after = dev.status()["nifi"]["nodes"]
    assert [n["state"] for n in after] == ["healthy"]
    assert after[0]["instance_id"] != before


def test_access_alone_brings_the_rules_to_airflow_and_the_edges(dev):
    """A role that is taken away in access.yml is gone there too, not only in NiFi."""
    files = {"airflow": ("/etc/airflow/access.json", "DataEng"), "nifi": ("/etc/haproxy/roles.list", "Producers")}
    addresses = {role: dev.nodes(role)[0]["private_ip"] for role in files}
    for role, (path, unit) in files.items():
        dev.ssh(addresses[role], f"sed -i s/{unit}/Nobody/ {path}")
    dev.run("--yes", "--only", "access")
    for role, (path, unit) in files.items():
        text = dev.ssh(addresses[role], f"cat {path}")
        assert unit in text
        assert "Nobody" not in text
    dev.run("--yes", "--only", "access")
    assert dev.record()["changes"]["ansible"] == 0


def test_keys_and_the_databases_password_are_rotated(dev):
    """After a suspicion, in one command: everything is new, and what was encrypted can be read. (Then nothing is left
    to do, as the next test sees.)
    """
    address, mark = dev.nodes("airflow")[0]["private_ip"], uuid.uuid4().hex
    dev.ssh(address, f"airflow-cli connections add rotated --conn-type http --conn-password {mark}")
    before = airflow_secrets(dev)
    environment = dev.environment()
    command = ["ansible-playbook", "ansible/playbooks/rotate-airflow-keys.yml", "-i", "inventories/dev"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    after = airflow_secrets(dev)
    assert {name for name in after if after[name] != before[name]} == ROTATED
    assert mark in dev.ssh(address, "airflow-cli connections get rotated --output json")
    assert not [value for value in {**before, **after}.values() if value in done.stdout + done.stderr]
    dev.ssh(address, "airflow-cli connections delete rotated")


ROTATED = {"fernet_key", "jwt_secret", "api_secret_key", "sql_alchemy_conn"}


def airflow_secrets(dev) -> dict[str, str]:
    """Name → value."""
    client, prefix = dev.client("secretsmanager"), dev.platform()["airflow"]["secrets_prefix"]
    return {name: client.get_secret_value(SecretId=f"{prefix}/config/{name}")["SecretString"] for name in ROTATED}


def test_a_killed_supervisor_is_taken_over(dev):
    """Acceptance 5: hosts, account and balancer live on; the next run finds them, and nothing to change."""
    before = node(dev)
    pid = supervisor_pid()
    os.kill(pid, signal.SIGKILL)
    dev.run("--yes")
    assert supervisor_pid() != pid
    assert node(dev) == before
    changes = dev.record()["changes"]
    assert not any(changes["terraform"].values())
    assert changes["ansible"] == 0


def supervisor_pid() -> int:
    from rehearsal import session

    pid = session.status()["supervisor"]["pid"]
    assert isinstance(pid, int)
    return pid


def test_the_edge_and_the_node_are_closed_to_this_machine_too(dev):
    """Only the balancer's address is let in, whatever runs on the machine that holds the hosts."""
    address = node(dev)["private_ip"]
    for port in (9443, 8443):
        with contextlib.closing(socket.socket()) as connection:
            connection.settimeout(3)
            assert connection.connect_ex((address, port)) != 0, f"port {port} answers"


def test_the_listener_offers_only_modern_tls(dev):
    context = ssl.create_default_context(cafile=dev.status()["ca_bundle"])
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    refused = False
    try:
        with socket.create_connection(("127.0.0.1", 443), timeout=5) as raw:
            context.wrap_socket(raw, server_hostname="nifi.dev.rehearsal.localhost").close()
    except (ssl.SSLError, ConnectionResetError):
        refused = True
    assert refused
