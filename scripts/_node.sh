# Sourced by the scripts that bring clusters up: installs, builds and makes what these are made of.

. "$(dirname "${BASH_SOURCE[0]}")/_env.sh"
[ "$(id -u)" = 0 ] || die "clusters need root: run it with sudo"
ensure_packages
ensure_tool strip binutils
ensure_tool ip iproute2
ensure_tool ping iputils-ping
ensure_tool openssl openssl
ensure_tool script bsdutils
for peer in cni kube node; do "scripts/peers/$peer"; done
scripts/build
