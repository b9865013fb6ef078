%{ if length(agents) > 0 ~}
# Debian's images carry no agents: they come from this account's own bucket, and only with the expected checksum.
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -y -q --no-install-recommends awscli
packages="$(mktemp -d)"
%{ for name, agent in agents ~}
aws s3 cp --region "${region}" "s3://${artifacts_bucket}/${agent.key}" "$packages/${name}.deb"
echo "${agent.sha256}  $packages/${name}.deb" | sha256sum --check --strict
dpkg --install "$packages/${name}.deb"
%{ endfor ~}
rm -r "$packages"
%{ endif ~}
