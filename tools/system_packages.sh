#!/bin/sh
# Make sure that the programs which the tests need are on this machine: sh tools/system_packages.sh chromium sqlite3
set -eu
missing=
for program in "$@"; do
  case $program in
    chromium) command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || missing="$missing chromium" ;;
    nginx) command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || missing="$missing nginx-light" ;;
    *) command -v "$program" >/dev/null || missing="$missing $program" ;;
  esac
done
[ -z "$missing" ] && exit 0
if ! command -v apt-get >/dev/null; then
  echo "The tests need:$missing. Install them with your system's package manager and run make test again." >&2
  exit 1
fi
as_root=
if [ "$(id -u)" -ne 0 ]; then
  as_root="sudo -n"
  $as_root true 2>/dev/null || { echo "The tests need:$missing. Run: sudo apt-get install$missing" >&2; exit 1; }
fi
echo "installing$missing"
$as_root apt-get update -qq
# shellcheck disable=SC2086  # one word per package
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
case $missing in
  # The tests start an nginx of their own: the package's service shall not run because of them.
  *nginx*) if command -v systemctl >/dev/null; then $as_root systemctl disable --now nginx >/dev/null 2>&1 || true; fi ;;
esac
