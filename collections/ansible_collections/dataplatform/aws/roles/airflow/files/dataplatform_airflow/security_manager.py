"""Users are made from certificates: at each login a subject gets exactly the roles that access.yml gives it."""

from __future__ import annotations

import logging
from typing import Any

from airflow.providers.fab.auth_manager.security_manager.override import FabAirflowSecurityManagerOverride, FabException
from airflow.providers.fab.www import views
from ansible_collections.dataplatform.aws.plugins.module_utils import _dn
from flask import abort, g, request, session
from flask_appbuilder import expose
from flask_appbuilder.security.views import AuthView
from flask_login import login_user

from dataplatform_airflow import identity
from dataplatform_airflow.access import access
from dataplatform_airflow.middleware import claims_of

SESSION_CLAIMS, SESSION_END = "dataplatform_claims", "dataplatform_end"
log = logging.getLogger(__name__)


class CertificateLoginView(AuthView):
    """Where Airflow sends whoever has no session: the certificate of the request is the login."""

    login_template = ""

    @expose("/login/")
    def login(self) -> Any:
        """Log in, and hand out the cookie that Airflow's pages use."""
        security = self.appbuilder.sm
        certificate = identity.current.get()
        user = security.auth_user_remote_user(certificate.dn if certificate else "")
        if certificate is None or user is None:
            abort(403)
        login_user(user)
        session[SESSION_CLAIMS] = claims_of(certificate.dn, access.roles(certificate.dn))
        session[SESSION_END] = certificate.not_after
        g.user = user
        return views.redirect(views.get_safe_url(request.args.get("next", "")))


def end_foreign_session() -> None:
    """Before Flask looks whose session it is: one that another certificate began is over, or one with other roles.

    An earlier certificate of the same subject is another one.
    """
    if "_user_id" not in session:
        return
    certificate = identity.current.get()
    if certificate is None or not certificate.seconds_left():
        session.clear()
        return
    today = (claims_of(certificate.dn, access.roles(certificate.dn)), certificate.not_after)
    if (session.get(SESSION_CLAIMS), session.get(SESSION_END)) != today:
        session.clear()


class CertificateSecurityManager(FabAirflowSecurityManagerOverride):
    """Flask-AppBuilder's users, one for each subject."""

    authremoteuserview = CertificateLoginView

    def auth_user_remote_user(self, username: str) -> Any:
        """The user of a subject, with today's roles, or None. Called when a browser logs in."""
        user = self.user_of(username)
        if user is not None:
            self._rotate_session_id()
        return user

    def user_of(self, subject: str) -> Any:
        """The user of a subject, made when it is new. None when it has no role or an administrator switched it off."""
        try:
            dn = _dn.parse(subject)
        except _dn.DnError:
            return None
        name = dn.rfc4514()
        certificate = identity.current.get()
        wanted = access.roles(name)
        if certificate is None or certificate.dn != name or not wanted:
            log.warning("%s may not log in: it has no role, or is not who this request's certificate names", name)
            return None
        roles = [self.find_role(role) for role in wanted]
        if None in roles:
            log.error(
                "%s may not log in: access.yml gives it %s, and Airflow lacks one of them", name, ", ".join(wanted)
            )
            return None
        user = self._found(name) or self._made(name, dn, roles)
        # Flask-AppBuilder looks names up regardless of letter case. Here another case is another identity.
        if user is None or user.username != name or not user.is_active:
            log.warning(
                "%s may not log in: the account is switched off, or belongs to a subject in other letter case", name
            )
            return None
        user.roles = roles
        self.update_user_auth_stat(user)  # saves the roles as well
        return user

    def _found(self, name: str) -> Any:
        return self.find_user(username=name)

    def _made(self, name: str, dn: _dn.DN, roles: list[Any]) -> Any:
        """A new user; the other one's when two first logins of a subject meet."""
        units = ", ".join(dn.values("OU"))
        try:
            return self.add_user(name, " ".join(dn.values("CN")), f"({units})", name, roles)
        except FabException:
            return self._found(name)
