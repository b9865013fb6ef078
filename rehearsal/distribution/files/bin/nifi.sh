#!/bin/sh
# Runs NiFi the way the official nifi.sh does: `run` becomes the NiFi process itself (for a service manager),
# `start`, `stop`, `restart` and `status` keep a process id in NIFI_PID_DIR. Java's arguments are java.arg.* of
# conf/bootstrap.conf; Java itself is JAVA_HOME's, else the one on the PATH.
set -eu

SCRIPT_DIR=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")" && pwd -P)
# shellcheck source=nifi-env.sh
. "$SCRIPT_DIR/nifi-env.sh"
BOOTSTRAP=$NIFI_HOME/conf/bootstrap.conf
PID_FILE=$NIFI_PID_DIR/nifi.pid

fail() {
    echo "nifi.sh: $1" >&2
    exit "${2:-1}"
}

# setting KEY DEFAULT: the last value of KEY in bootstrap.conf, or DEFAULT when it has none
setting() {
    value=$(sed -n "s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*//p" "$BOOTSTRAP" | tail -n 1)
    printf '%s\n' "${value:-$2}"
}

find_java() {
    if [ -n "${JAVA_HOME:-}" ]; then
        [ -x "$JAVA_HOME/bin/java" ] || fail "JAVA_HOME is $JAVA_HOME, but $JAVA_HOME/bin/java cannot be run"
        JAVA=$JAVA_HOME/bin/java
    else
        JAVA=$(command -v java) || fail "no java: set JAVA_HOME or install a Java 21 runtime"
    fi
}

# management: HOST:PORT of the management server
management() {
    setting management.server.address http://127.0.0.1:52020 | sed -e 's,^[a-z]*://,,' -e 's,/.*$,,'
}

# Replaces this shell by NiFi.
become_nifi() {
    find_java
    user=$(setting run.as '')
    if [ -n "$user" ] && [ "$user" != "$(id -un)" ]; then
        fail "run.as is $user, but this is $(id -un): start it as that user (in a service: User=$user)"
    fi
    mkdir -p "$NIFI_LOG_DIR"
    cd "$NIFI_HOME"
    # shellcheck disable=SC3045  # dash and bash have it; elsewhere the limit stays as it is
    ulimit -n "$(ulimit -Hn)" 2>/dev/null || true
    conf=$(setting conf.dir ./conf)
    lib=$(setting lib.dir ./lib)
    set -- "-Dnifi.properties.file.path=$NIFI_HOME/conf/nifi.properties" \
        "-Dorg.apache.nifi.bootstrap.config.log.dir=$NIFI_LOG_DIR" \
        "-Dorg.apache.nifi.management.server.address=$(management)" \
        --enable-native-access=ALL-UNNAMED -cp "$conf:$lib/*" org.apache.nifi.NiFi
    # each java.arg.* of bootstrap.conf goes before these, blanks inside a value kept
    arguments=$(sed -n 's/^[[:space:]]*java\.arg\.[^=]*=//p' "$BOOTSTRAP" | sed '1!G;h;$!d')
    while IFS= read -r argument; do
        [ -z "$argument" ] || set -- "$argument" "$@"
    done <<LINES
$arguments
LINES
    exec "$JAVA" "$@"
}

# running: prints the process id of a NiFi started by `start`, fails when there is none
running() {
    [ -r "$PID_FILE" ] || return 1
    pid=$(cat "$PID_FILE")
    kill -0 "$pid" 2>/dev/null && grep -qs org.apache.nifi.NiFi "/proc/$pid/cmdline" && printf '%s\n' "$pid"
}

start() {
    if pid=$(running); then
        echo "NiFi runs already (process $pid)"
        return 0
    fi
    mkdir -p "$NIFI_PID_DIR" "$NIFI_LOG_DIR"
    setsid "$SCRIPT_DIR/nifi.sh" run >>"$NIFI_LOG_DIR/nifi-bootstrap.log" 2>&1 </dev/null &
    echo "$!" >"$PID_FILE"
    echo "NiFi starts (process $!), logs in $NIFI_LOG_DIR"
}

stop() {
    if ! pid=$(running); then
        echo "NiFi does not run"
        return 0
    fi
    left=$(setting graceful.shutdown.seconds 20)
    kill "$pid"
    while kill -0 "$pid" 2>/dev/null; do
        if [ "$left" -le 0 ]; then
            echo "NiFi did not end in time: killing process $pid" >&2
            kill -9 "$pid"
            break
        fi
        left=$((left - 1))
        sleep 1
    done
    rm -f "$PID_FILE"
    echo "NiFi is stopped"
}

# Exit codes of the official status command: 0 up, 3 not running, 4 running but not answering
status() {
    pid=$(running) || fail "NiFi does not run" 3
    address=$(management)
    if command -v curl >/dev/null && ! curl -fsS -m 5 "http://$address/health" >/dev/null 2>&1; then
        fail "NiFi runs (process $pid) but does not answer on $address" 4
    fi
    echo "NiFi runs (process $pid)"
}

case "${1:-}" in
    run) become_nifi ;;
    start) start ;;
    stop) stop ;;
    restart) stop && start ;;
    status) status ;;
    *) fail "usage: nifi.sh run|start|stop|restart|status" 2 ;;
esac
