"""EMR Serverless: applications keep what they were made with; a job run is what its process does.

moto says SUCCESS at once. Here a job run waits as SUBMITTED until `rehearsal/jobs/` takes it, runs it as real Spark and
reports below its own address what became of it (`POST …/jobruns/ID/report`, which AWS does not have).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.emrserverless import urls
from moto.emrserverless.exceptions import AccessDeniedException, ResourceNotFoundException, ValidationException
from moto.emrserverless.models import EMRServerlessBackend
from moto.emrserverless.responses import EMRServerlessResponse

from rehearsal.aws.patching import adds, replaces, wraps_original

RELEASE = re.compile(r"emr-(spark-)?\d+\.\d+\.\d+(-\d{8}|-latest)?$")
REPORT = re.compile("/applications/([^/]+)/jobruns/([^/]+)/report$")
ACTIVE = ("SUBMITTED", "PENDING", "SCHEDULED", "RUNNING", "CANCELLING", "QUEUED")
ENDED = ("SUCCESS", "FAILED", "CANCELLED")
CONFIGURATIONS = (
    "architecture",
    "imageConfiguration",
    "workerTypeSpecifications",
    "runtimeConfiguration",
    "monitoringConfiguration",
    "diskEncryptionConfiguration",
    "interactiveConfiguration",
    "schedulerConfiguration",
)
"""What an application is made with beside what moto keeps."""
NAMES = {name: re.sub("([A-Z])", lambda found: "_" + found[1].lower(), name) for name in CONFIGURATIONS}


class _Conflict(JsonRESTError):
    """The client token was used before, for something else."""

    code = 409

    def __init__(self, message: str) -> None:
        super().__init__("ConflictException", message)


# -- applications


@wraps_original(EMRServerlessBackend, "create_application")
def _create_application(
    original: Any, self: Any, name: str, release_label: str, application_type: str, client_token: str, **kwargs: Any
) -> Any:
    """Types are taken in any case, labels of the Spark runtime too; a repeated request makes no second application.

    Source: https://docs.aws.amazon.com/emr-serverless/latest/APIReference/API_CreateApplication.html
    """
    if not RELEASE.match(release_label):
        raise ValidationException(f"Release label '{release_label}' does not exist")
    for known in self.applications.values():
        if client_token and known.client_token == client_token:
            return known
    made = original(self, name, "emr-6.6.0", application_type.upper(), client_token, **kwargs)
    made.release_label = release_label
    made.state = "CREATED"
    made.created_at = made.updated_at = made.idle_since = utcnow()
    made.architecture = "X86_64"
    return made


@wraps_original(EMRServerlessResponse, "create_application")
def _create_application_response(original: Any, self: Any) -> Any:
    result = original(self)
    _configure(self.emrserverless_backend.applications[result.result["applicationId"]], self)
    return result


@replaces(EMRServerlessResponse, "update_application")
def _update_application_response(self: Any) -> Any:
    backend = self.emrserverless_backend
    application = backend.update_application(
        self._get_param("applicationId"),
        self._get_param("initialCapacity"),
        self._get_param("maximumCapacity"),
        self._get_param("autoStartConfiguration"),
        self._get_param("autoStopConfiguration"),
        self._get_param("networkConfiguration"),
    )
    application.release_label = self._get_param("releaseLabel") or application.release_label
    application.updated_at = utcnow()
    _configure(application, self)
    return ActionResult({"application": application})


def _configure(application: Any, response: Any) -> None:
    """Keep the configurations that moto forgets."""
    for name, attribute in NAMES.items():
        value = response._get_param(name)
        if value is not None:
            setattr(application, attribute, value)


def _settle(application: Any, jobs: list[Any]) -> None:
    """Stop an application that has been idle for as long as it may.

    Source: https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/application-capacity.html
    """
    auto = application.auto_stop_configuration or {}
    if application.state != "STARTED" or not auto.get("enabled", True):
        return
    if any(job.state in ACTIVE for job in jobs):
        application.idle_since = utcnow()
    elif utcnow() - application.idle_since > timedelta(minutes=auto.get("idleTimeoutMinutes") or 15):
        application.state = "STOPPED"


@wraps_original(EMRServerlessBackend, "get_application")
def _get_application(original: Any, self: Any, application_id: str) -> Any:
    application = original(self, application_id)
    _settle(application, self.job_runs.get(application_id, []))
    return application


@wraps_original(EMRServerlessBackend, "list_applications")
def _list_applications(original: Any, self: Any, states: list[str] | None) -> list[Any]:
    for application in self.applications.values():
        _settle(application, self.job_runs.get(application.id, []))
    return list(original(self, states))


for _name in ("delete_application", "update_application"):

    @wraps_original(EMRServerlessBackend, _name)
    def _settled(original: Any, self: Any, application_id: str, *args: Any, **kwargs: Any) -> Any:
        self.get_application(application_id)
        return original(self, application_id, *args, **kwargs)


@wraps_original(EMRServerlessBackend, "stop_application")
def _stop_application(original: Any, self: Any, application_id: str) -> None:
    """Only an application without work can be stopped."""
    if any(job.state in ACTIVE for job in self.job_runs.get(application_id, [])):
        raise ValidationException(
            f"Application {application_id} can't be stopped because there are job runs that are not in a final state"
        )
    original(self, application_id)


@wraps_original(EMRServerlessBackend, "start_application")
def _start_application(original: Any, self: Any, application_id: str) -> None:
    original(self, application_id)
    self.applications[application_id].idle_since = utcnow()


# -- job runs


@wraps_original(EMRServerlessBackend, "start_job_run")
def _start_job_run(original: Any, self: Any, application_id: str, client_token: str, *args: Any, **kwargs: Any) -> Any:
    """A job run is submitted, and starts its application where that may be; a repeated request starts no second run.

    Source: https://docs.aws.amazon.com/emr-serverless/latest/APIReference/API_StartJobRun.html
    """
    application = self.get_application(application_id)
    asked = json.dumps([args, kwargs], sort_keys=True, default=str)
    for known in self.job_runs.get(application_id, []):
        if client_token and known.client_token == client_token:
            if known.asked != asked:
                raise _Conflict(f"Client token {client_token} was used for another job run of {application_id}")
            return known
    auto_start = (application.auto_start_configuration or {}).get("enabled", True)
    if application.state not in ("STARTED", "TERMINATED") and not auto_start:
        raise ValidationException(f"Application {application_id} is not started, and auto-start is off")
    if (kwargs.get("execution_role_arn") or "").count(":") < 5:
        raise AccessDeniedException(f"{kwargs.get('execution_role_arn')} is no role")
    job = original(self, application_id, client_token, *args, **kwargs)
    application.state = "STARTED"
    job.asked = asked
    job.state, job.state_details = "SUBMITTED", ""
    job.created_at = job.updated_at = utcnow()
    job.created_by = f"arn:aws:sts::{self.account_id}:assumed-role/rehearsal/rehearsal"
    job.mode, job.attempt = "BATCH", 1
    job.started_at = job.ended_at = None
    timeout = kwargs.get("execution_timeout_minutes")
    job.execution_timeout_minutes = 720 if timeout is None else timeout
    return job


@wraps_original(EMRServerlessBackend, "list_job_runs")
def _list_job_runs(original: Any, self: Any, application_id: str, *args: Any, **kwargs: Any) -> list[Any]:
    """An application without a job run has an empty list of them."""
    self.get_application(application_id)
    return list(original(self, application_id, *args, **kwargs)) if application_id in self.job_runs else []


@replaces(EMRServerlessBackend, "cancel_job_run")
def _cancel_job_run(self: Any, application_id: str, job_run_id: str) -> tuple[str, str]:
    """What runs is ended by whoever runs it, and CANCELLING until then.

    Source: https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/job-states.html
    """
    job = self.get_job_run(application_id, job_run_id)
    if job.state in ENDED:
        raise ValidationException(f"Job run {job_run_id} is {job.state} and can't be cancelled")
    _change(job, "CANCELLED" if job.state == "SUBMITTED" else "CANCELLING")
    return application_id, job_run_id


def _change(job: Any, state: str, details: str = "") -> None:
    """Note another state, with the times that AWS notes."""
    now = utcnow()
    job.state, job.updated_at = state, now
    job.state_details = details or job.state_details
    if state == "RUNNING" and job.started_at is None:
        job.started_at = now
    if state in ENDED:
        job.ended_at = now
        job.total_execution_duration_seconds = int((now - (job.started_at or now)).total_seconds())


def _report(request: Any, full_url: str, headers: Any) -> tuple[int, Mapping[str, str], str]:
    """Take what the runner of jobs says: {"state": one of AWS's, "details": text}. A final state stays."""
    response = EMRServerlessResponse()
    response.setup_class(request, full_url, headers)
    application_id, job_run_id = REPORT.search(full_url.partition("?")[0]).groups()  # type: ignore[union-attr]
    said = json.loads(response.body or "{}")
    if said.get("state") not in (*ACTIVE, *ENDED):
        raise ValidationException(f"{said.get('state')} is no state of a job run")
    job = response.emrserverless_backend.get_job_run(application_id, job_run_id)
    if job.state not in ENDED and not (job.state == "CANCELLING" and said["state"] in ACTIVE):
        _change(job, said["state"], said.get("details", ""))
    return 200, {"Content-Type": "application/json"}, json.dumps({"state": job.state})


# -- tags


def _tagged(response: Any) -> Any:
    """Tags of the application or job run that the request names."""
    arn = unquote(response._get_param("resourceArn"))
    backend = response.emrserverless_backend
    jobs = [job for runs in backend.job_runs.values() for job in runs]
    for one in (*backend.applications.values(), *jobs):
        if one.arn == arn:
            one.tags = one.tags or {}
            return one.tags
    raise ResourceNotFoundException(arn, "Resource")


@adds(EMRServerlessResponse, "list_tags_for_resource")
def _list_tags_for_resource(self: Any) -> Any:
    return ActionResult({"tags": _tagged(self)})


@adds(EMRServerlessResponse, "tag_resource")
def _tag_resource(self: Any) -> Any:
    _tagged(self).update(self._get_param("tags"))
    return EmptyResult()


@adds(EMRServerlessResponse, "untag_resource")
def _untag_resource(self: Any) -> Any:
    tags = _tagged(self)
    for key in self._get_param("tagKeys") or []:
        tags.pop(key, None)
    return EmptyResult()


_JOB_RUN = "{0}/applications/(?P<applicationId>[^/]+)/jobruns/(?P<jobRunId>[^/]+)"
urls.url_paths["{0}/tags/(?P<resourceArn>.+)$"] = EMRServerlessResponse.dispatch
urls.url_paths[f"{_JOB_RUN}/report$"] = _report  # type: ignore[assignment]
