"""Opens, shows and ends the rehearsal: what `runner.py --rehearse` and `python -m rehearsal` call."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

from rehearsal import balancer, machine, teardown
from rehearsal.accounts import API, API_PORT, AccountSession, Opened, Registry, answering
from rehearsal.archive_upload import Uploads
from rehearsal.balancer import certificates
from rehearsal.balancer.addresses import check_free, holder
from rehearsal.databases.reconciler import ca_path as rds_ca_path
from rehearsal.distribution import nifi
from rehearsal.errors import RehearsalError
from rehearsal.hosts import image, network
from rehearsal.hosts.podman import Podman
from rehearsal.memory import used_mib
from rehearsal.paths import CACHE, CHECKOUT, STATE
from rehearsal.processes import Child, exclusive, wait_until
from rehearsal.supervisor import account_child, code_version, gateway_child, heartbeat
from tools import airflow_wheelhouse

ACCOUNT_SECONDS = 60.0
SUPERVISOR_SECONDS = 30.0
RECENT_SECONDS = 5.0
BEAT_SECONDS = 60.0
"""A supervisor that wrote nothing for so long is taken for stuck: starting several hosts takes its time."""
Progress = Callable[[str], None]
KEY = STATE / "ssh" / "id_ed25519"
LOCK = CACHE / "rehearsal.lock"
"""One command at a time starts or ends things. It lies outside what `destroy` removes."""


def supervisor_child() -> Child:
    """The supervisor's process."""
    return Child("supervisor", STATE)


def running(env: str) -> bool:
    """Whether `env`'s account is there to be asked, without starting anything."""
    return account_child().pid is not None and env in Registry(STATE).all() and answering()


def open_account(env: str, values: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Start or adopt the rehearsal and open `env`'s account.

    `values` are Terraform's of the environment: account_id, region, bucket_suffix and vpc_cidr are read. Returns the
    fields of a driver's target: environment, terraform_values, backend_config, ca_bundle. Raises RehearsalError.
    """
    account_id, region, suffix = (str(values[name]) for name in ("account_id", "region", "bucket_suffix"))
    opened = Opened(env, account_id, region, domain=f"{env}.rehearsal.localhost")
    with exclusive(LOCK):
        Podman().ensure()
        adopted = _adopt_account()
        for done in network.make_way(IPv4Network(values["vpc_cidr"])):
            progress(done)
        for obstacle in machine.obstacles(values["vpc_cidr"]):
            progress(f"if hosts do not come up: {obstacle}")
        if not adopted:
            _start_account(progress)
        registry = Registry(STATE)
        registry.add(registry.all().get(env, opened))
        _make_key()
        _start_supervisor(progress)
        # all of it at the same time: account, supervisor, the hosts' image (by the supervisor), NiFi's archive and
        # Airflow's wheels, which Ansible puts into the bucket, as on AWS
        with ThreadPoolExecutor() as pool:
            wheels = pool.submit(airflow_wheelhouse.build, CACHE, progress)
            archive = nifi.build(CACHE, progress)
        try:
            wheels.result()
        except airflow_wheelhouse.WheelhouseError as error:
            raise RehearsalError(str(error)) from error
        _wait_for_account()
        opened = replace(
            opened,
            bucket=f"dataplatform-{env}-artifacts-{suffix}",
            archives={f"nifi/{archive.path.name}": str(archive.path)},
        )
        Uploads(STATE).forget(opened)
        registry.add(opened)
    session = AccountSession(account_id, region)
    web_ca = STATE / "web-ca"
    certificate_arn = certificates.listener_certificate(session, web_ca, opened.domain)
    _wait_for_supervisor(progress)
    return {
        "environment": environment(session),
        "terraform_values": {
            "domain": opened.domain,
            "certificate_arn": certificate_arn,
            "hosted_zone_id": None,
            "s3_use_path_style": True,
            "nifi_archive_url": f"s3://{opened.bucket}/nifi/{archive.path.name}",
            "nifi_archive_checksum": f"sha256:{archive.sha256}",
        },
        "backend_config": {"use_path_style": "true"},
        "ca_bundle": certificates.ca_path(web_ca),
    }


def environment(session: AccountSession) -> dict[str, str]:
    """Variables with which any AWS client, Terraform and Ansible reach the account and its hosts."""
    keys = session.credentials()
    variables = {
        "AWS_ENDPOINT_URL": API,
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
        "AWS_REGION": session.region,
        "AWS_DEFAULT_REGION": session.region,
        "AWS_MAX_ATTEMPTS": "2",
        "AWS_EC2_METADATA_DISABLED": "true",
        "DATAPLATFORM_CONNECTION": "ssh",
        "DATAPLATFORM_SSH_USER": "admin",
        "DATAPLATFORM_SSH_KEY": str(KEY),
        "DATAPLATFORM_RDS_CA_BUNDLE": str(rds_ca_path(STATE)),
    }
    if any(name.lower() in ("http_proxy", "all_proxy") for name in os.environ):
        # the machine's proxy cannot reach what is on the machine
        known = os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or ""
        variables["NO_PROXY"] = variables["no_proxy"] = ",".join(
            filter(None, [known, "127.0.0.1", "localhost", ".localhost"])
        )
    return variables


def status() -> dict[str, Any]:
    """What runs: {"supervisor", "account", "environments", "image", "networks", "hosts", "databases", "jobs", "spark",
    "balancer", "processes", "problems", "memory_mib"}. Where nothing runs, process ids are None, "account" is ""."""
    supervisor, account = supervisor_child(), account_child()
    beat = heartbeat() if supervisor.pid else {}
    known: dict[str, Any] = balancer.status(STATE)
    children = {child.name: child.pid for child in (account, gateway_child(), Child("dnsmasq", STATE))}
    hosts = dict(beat.get("hosts", {}))
    databases, jobs = beat.get("databases", {}), beat.get("jobs", {})
    held = [one["pid"] for one in (*databases.values(), *jobs.values()) if one["pid"]]
    age = time.time() - beat["time"] if beat else None
    return {
        "supervisor": {"pid": supervisor.pid, "beat_seconds": age, "log": str(supervisor.log)},
        "account": API if account.pid and answering() else "",
        "environments": sorted(Registry(STATE).all()),
        "image": {"name": image.name(), "state": beat.get("image", "unknown")},
        "networks": beat.get("networks", []),
        "hosts": hosts,
        "databases": databases,
        "jobs": jobs,
        "spark": beat.get("spark", "unknown"),
        "balancer": known,
        "processes": children,
        "problems": beat.get("problems", {}),
        "memory_mib": used_mib([supervisor.pid, *children.values(), known["pid"]], [*hosts.values(), *held]),
    }


def problems() -> dict[str, str]:
    """What the supervisor can't do at this moment: part → why. It tries again in each of its rounds."""
    return dict(heartbeat().get("problems", {})) if supervisor_child().pid else {}


def close_account(env: str, progress: Progress) -> None:
    """After `env` was destroyed: forget its account. The last account takes the whole rehearsal with it."""
    with exclusive(LOCK):
        registry = Registry(STATE)
        others = [one for name, one in registry.all().items() if name != env and _in_use(one)]
        if others:
            registry.remove(env)
            progress(f"the rehearsal goes on for {', '.join(one.env for one in others)}")
            return
        teardown.everything(progress)


def destroy(progress: Progress) -> None:
    """End everything, whatever state it is in, and put the machine back; nothing there is no error."""
    with exclusive(LOCK):
        teardown.everything(progress)


def _in_use(opened: Opened) -> bool:
    """Whether an account holds a network of its own: anything else of it is worth nothing without one."""
    if account_child().pid is None or not answering():
        return False
    ec2 = AccountSession(opened.account_id, opened.region).client("ec2")
    return bool(ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["false"]}])["Vpcs"])


def _adopt_account() -> bool:
    """Whether the account's process runs and answers. If not, its port is free now: no other rehearsal lives here."""
    child = account_child()
    if child.pid is not None:
        # it starts slowly on a busy machine, or hangs
        if wait_until(answering, ACCOUNT_SECONDS, 0.2):
            return True
        child.stop()
    balancer.check_ports(STATE)
    # a killed account process may need a moment to let go of its port
    wait_until(lambda: holder("127.0.0.1", API_PORT) is None, 5)
    check_free(f"127.0.0.1:{API_PORT}")
    return False


def _start_account(progress: Progress) -> None:
    (STATE / "accounts.json").unlink(missing_ok=True)
    progress("starting the emulated account")
    account_child().start([sys.executable, "-m", "rehearsal.aws.server", "--port", str(API_PORT)], CHECKOUT)


def _wait_for_account() -> None:
    child = account_child()
    if not wait_until(lambda: answering() or child.pid is None, ACCOUNT_SECONDS, 0.1) or child.pid is None:
        said = child.last_words()
        child.stop()
        raise RehearsalError(f"the emulated account did not start; the end of {child.log}:\n{said}")


def _start_supervisor(progress: Progress) -> None:
    child = supervisor_child()
    beat = heartbeat()
    if child.pid is not None:
        fresh = time.time() - float(beat.get("time", 0)) < BEAT_SECONDS
        if fresh and beat.get("code") == code_version():
            return
        progress("replacing the supervisor" + ("" if fresh else ", which is stuck"))
        child.stop(20)
    else:
        progress("starting the supervisor")
    child.start([sys.executable, "-m", "rehearsal", "supervise"], CHECKOUT)


def _wait_for_supervisor(progress: Progress) -> None:
    """Until this code's supervisor reports, and the image is being built at least."""
    child = supervisor_child()

    def reports() -> bool:
        beat = heartbeat()
        return beat.get("code") == code_version() and time.time() - float(beat["time"]) < RECENT_SECONDS

    if not wait_until(lambda: reports() or child.pid is None, SUPERVISOR_SECONDS, 0.1):
        raise RehearsalError(f"the supervisor does not report; the end of {child.log}:\n{child.last_words()}")
    if child.pid is None:
        raise RehearsalError(f"the supervisor ended; the end of {child.log}:\n{child.last_words()}")
    state = str(heartbeat().get("image", ""))
    if state.startswith("failed: "):
        raise RehearsalError(state.removeprefix("failed: "))
    if state == "building":
        progress("the hosts' image is built meanwhile")


def _make_key() -> None:
    """The key that logs in to the hosts as `admin`."""
    if KEY.exists():
        return
    KEY.parent.mkdir(parents=True, exist_ok=True)
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "rehearsal", "-f", str(KEY)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
