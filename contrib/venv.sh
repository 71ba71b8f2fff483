# Sourced by contrib/run and contrib/test: packages of the system, the virtual environment, the installation.

say() { printf '%s\n' "$*" >&2; }

# The command prefix that may install packages: empty for root, "sudo -n", or a failure when neither is possible.
as_root() {
    if [ "$(id -u)" = 0 ]; then echo ""; elif sudo -n true 2>/dev/null; then echo "sudo -n"; else return 1; fi
}

# apt_install PACKAGE…  installs Debian packages without their recommendations; fails where it may not or cannot, or where
# NO_INSTALL is set.
apt_install() {
    local root
    [ -z "${NO_INSTALL:-}" ] || { say "Not installing the Debian packages $*."; return 1; }
    command -v apt-get >/dev/null || { say "There is no apt-get here. Please install: $*"; return 1; }
    root=$(as_root) || { say "These Debian packages are missing: $*. As root: apt-get install --no-install-recommends $*"; return 1; }
    say "Installing the Debian packages $* …"
    $root env DEBIAN_FRONTEND=noninteractive sh -c 'apt-get -q update && exec apt-get -qy install --no-install-recommends "$@"' apt "$@" </dev/null >&2
}

# make_venv  makes .venv beside the checkout, or anew where an interrupted or moved one is of no use.
make_venv() {
    local python=${PYTHON:-python3}
    # pip's script is the last thing venv writes, and names the place that the environment was made for.
    grep -qsF "$PWD/.venv/bin/python" .venv/bin/pip && .venv/bin/python -c '' 2>/dev/null && return
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        say "Python's venv module is missing."
        apt_install python3 python3-venv || return 1
    fi
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { say "mailhelper needs Python 3.11 or newer; $python is older (set PYTHON)."; return 1; }
    say "Making the virtual environment .venv …"
    "$python" -m venv --clear .venv
}

# install_project EXTRAS [ALSO]  installs the checkout editable, unless that was done since setup.cfg last changed
# (ALSO names extras whose installation contains this one).
install_project() {
    local extras=$1 key
    key=$(cat setup.cfg pyproject.toml | sha256sum)
    for done in "$extras" "${@:2}"; do
        [ "$(cat ".venv/.installed-$done" 2>/dev/null)" = "$key" ] && return
    done
    say "Installing mailhelper${extras:+ with $extras} into .venv …"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".${extras:+[$extras]}" </dev/null >&2 || return 1
    echo "$key" >".venv/.installed-$extras"
}
