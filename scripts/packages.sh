# Sourced by what installs packages on a Debian or Ubuntu: names those that are missing, and installs them at once.
# shellcheck shell=bash

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo)
fi

# Needs a package unless the command that it brings is there.
packages=()
need() {
    command -v "$1" > /dev/null || packages+=("${@:2}")
}

update_packages() {
    "${as_root[@]}" apt-get update
}

# After update_packages.
install_packages() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${packages[@]}"
}
