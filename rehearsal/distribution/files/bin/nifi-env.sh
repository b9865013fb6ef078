# Read by nifi.sh. Each value can come from the environment instead.
# shellcheck shell=sh
: "${NIFI_HOME:=$(CDPATH='' cd -- "${SCRIPT_DIR:?}/.." && pwd -P)}"
: "${NIFI_LOG_DIR:=$NIFI_HOME/logs}"
: "${NIFI_PID_DIR:=$NIFI_HOME/run}"
export NIFI_HOME NIFI_LOG_DIR NIFI_PID_DIR
