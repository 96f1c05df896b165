#!/bin/sh
# Installs the Debian packages that are missing, and does nothing where none is.
#   setup.sh build   what building, running and checking loris needs
#   setup.sh tidy    what `make tidy` needs besides
set -eu

build="gcc libc6-dev binutils make pkg-config libgsl-dev libsqlite3-dev libfyaml-dev libisal-dev
    librandom123-dev sqlite3 gnuplot-nox check libsubunit-dev"
tidy="clang-format clang-tidy cppcheck"

case "${1:-build}" in
build) wanted=$build ;;
tidy) wanted="$build $tidy" ;;
*)
    echo "setup.sh: build or tidy, not '$1'" >&2
    exit 2
    ;;
esac

if ! command -v dpkg-query >/dev/null; then
    echo "setup: this is no Debian; install these by hand:" $wanted >&2
    exit 2
fi
# Another package may provide one that was asked for (pkgconf does pkg-config), so ask for both.
present=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package},${Provides}\n' |
    sed -n 's/^ii *//p' | tr -d ' ' | tr ',' '\n' | sed 's/(.*//')
missing=
for package in $wanted; do
    printf '%s\n' "$present" | grep -qxF "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "setup: these packages are missing and neither root nor sudo is at hand; have them" >&2
        echo "setup: installed and try again: apt-get install$missing" >&2
        exit 2
    fi
    as_root="sudo env DEBIAN_FRONTEND=noninteractive"
else
    as_root="env DEBIAN_FRONTEND=noninteractive"
fi
echo "setup: installing$missing"
if ! { $as_root apt-get update -qq &&
    $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null; }; then
    echo "setup: apt-get could not install them; see its message above" >&2
    exit 2
fi
