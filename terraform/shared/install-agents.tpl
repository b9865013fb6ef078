%{ if length(agents) > 0 ~}
# Debian's images carry no agents: they come from this account's own bucket, and only with the expected checksum.
# This runs once in a host's life: what may fail for a moment (mirrors, a role that is only just made, apt's own timer) is tried again.
export DEBIAN_FRONTEND=noninteractive
apt() { apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=5 "$@"; }
fetch() {
  local attempt
  for attempt in 1 2 3 4 5 6 7 8 9 10; do
    if aws s3 cp --region "${region}" "$1" "$2"; then return; fi
    sleep $((attempt * 2))
  done
  return 1
}
apt update
apt install -y --no-install-recommends awscli
packages="$(mktemp -d)"
%{ for name, agent in agents ~}
fetch "s3://${artifacts_bucket}/${agent.key}" "$packages/${name}.deb"
echo "${agent.sha256}  $packages/${name}.deb" | sha256sum --check --strict
apt install -y --no-install-recommends "$packages/${name}.deb"
%{ endfor ~}
rm -r "$packages"
%{ endif ~}
