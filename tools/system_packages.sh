#!/bin/sh
# Make sure that programs are on this machine: sh tools/system_packages.sh chromium sqlite3 -- nginx curl
# Those before `--` are needed. Those behind it are wanted: where they cannot be installed, the tests that use them are skipped.
set -eu
needed=
wanted=
found=needed
for program in "$@"; do
  package=
  case $program in
    --) found=wanted ;;
    chromium) command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || package=chromium ;;
    nginx) command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || package=nginx-light ;;
    *) command -v "$program" >/dev/null || package=$program ;;
  esac
  [ -z "$package" ] && continue
  if [ $found = needed ]; then needed="$needed $package"; else wanted="$wanted $package"; fi
done

give_up() {
  if [ -n "$needed" ]; then
    echo "$1:$needed" >&2
    exit 1
  fi
  echo "not installed:$wanted. The tests that use them are skipped." >&2
  exit 0
}

[ -z "$needed$wanted" ] && exit 0
command -v apt-get >/dev/null || give_up "Install these with your system's package manager and run make again"
as_root=
if [ "$(id -u)" -ne 0 ]; then
  as_root="sudo -n"
  $as_root true 2>/dev/null || give_up "Install these (sudo apt-get install) and run make again"
fi
install() {
  # shellcheck disable=SC2086  # one word per package
  # RUNLEVEL: no package's service is started because of us.
  $as_root env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $1 >/dev/null
}
echo "installing$needed$wanted"
$as_root apt-get update -qq -o Acquire::Retries=1 -o Acquire::http::Timeout=30 || give_up "apt-get update failed, and these are needed"
if [ -n "$needed" ]; then install "$needed"; fi
if [ -n "$wanted" ]; then
  install "$wanted" || echo "not installed:$wanted. The tests that use them are skipped." >&2
fi
case $wanted$needed in
  *nginx*) if command -v systemctl >/dev/null; then $as_root systemctl disable --now nginx >/dev/null 2>&1 || true; fi ;;
esac
