"""Flask-AppBuilder's settings: whoever the edge vouches for is logged in. Managed by Ansible."""

from dataplatform_airflow.security_manager import CertificateSecurityManager
from flask_appbuilder.const import AUTH_REMOTE_USER

WTF_CSRF_ENABLED = True
AUTH_TYPE = AUTH_REMOTE_USER
AUTH_REMOTE_USER_ENV_VAR = "HTTP_X_DATAPLATFORM_SUBJECT"
# The security manager makes users itself; nobody registers.
AUTH_USER_REGISTRATION = False
SECURITY_MANAGER_CLASS = CertificateSecurityManager
