# Sourced by the tests that need programs of the system's packages: installs what is missing, or ends the script that asked.
# A test that was not run must not look like one that passed.
#
# install_packages WHO PACKAGE...
install_packages() {
  local who=$1 as_root=()
  shift
  echo "$who: installing $*" >&2
  [ "$(id -u)" = 0 ] || as_root=(sudo -n)
  # Their own services are not wanted: the tests start them with files of their own.
  if ! { "${as_root[@]}" apt-get update -q && RUNLEVEL=1 "${as_root[@]}" apt-get install -q -y --no-install-recommends "$@"; } >&2; then
    echo "$who: FAILED: $* could not be installed; install by hand and run this again." >&2
    exit 1
  fi
}
