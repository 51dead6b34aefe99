# Sourced by the scripts that install packages on Debian or Ubuntu: collects the missing packages, and installs them at
# once.
# shellcheck shell=bash

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo)
fi

# need COMMAND PACKAGE...: adds the packages unless the command is installed.
packages=()
need() {
    command -v "$1" > /dev/null || packages+=("${@:2}")
}

update_packages() {
    "${as_root[@]}" apt-get update
}

# Installs the packages. Call update_packages first.
install_packages() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${packages[@]}"
}
