#!/bin/sh
# Make a virtual environment and install pixel-lm into it, editable, with the versions of constraints.txt.
#
#   sh scripts/setup.sh FOLDER [EXTRA,...]
#
# Safe to repeat. PYTHON=/path/to/python chooses the interpreter; pip's own settings (PIP_INDEX_URL, pip.conf) apply.
set -eu
cd "$(dirname "$0")/.."
venv=$1
extras=${2:+[$2]}
log=$venv/setup.log

say() { echo "setup: $*" >&2; }
fail() {
    say "$*"
    exit 1
}

recent_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python}; do
        if recent_enough "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    if [ -n "${PYTHON:-}" ]; then
        fail "PYTHON=$PYTHON is not Python 3.11 or newer"
    elif command -v python3 >/dev/null; then
        fail "Python 3.11 or newer is needed, found $(python3 --version 2>&1): install one, or name it: make PYTHON=/path/to/python3.11 ..."
    fi
    fail "Python 3.11 or newer is needed, found none (Debian: apt-get install python3 python3-venv)"
}

can_install_debian_packages() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

# Quietly; the package lists are fetched only when the first try does not find the packages.
install_debian_packages() {
    for refresh in no yes; do
        if [ "$refresh" = yes ]; then
            apt-get -qq -o Acquire::Retries=1 -o Acquire::http::Timeout=30 update || return 1
        fi
        DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Acquire::Retries=1 -o Acquire::http::Timeout=30 \
            -o DPkg::Lock::Timeout=60 --no-install-recommends install "$@" && return 0
    done </dev/null >/dev/null 2>&1
    return 1
}

can_make_venv() { "$python" -c 'import ensurepip, venv; ensurepip.version()' >/dev/null 2>&1; }

make_venv() {
    python=$(find_python)
    if ! can_make_venv; then
        package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        if can_install_debian_packages; then
            say "installing Debian's $package"
            install_debian_packages "$package" || true
        fi
        can_make_venv ||
            fail "$python cannot make virtual environments: install $package (Debian: apt-get install $package)"
    fi
    say "making $venv with $("$python" --version) ($python)"
    # --clear repairs an environment that an interrupted run left half made.
    output=$("$python" -m venv --clear "$venv" 2>&1) || fail "could not make $venv: $(echo "$output" | tail -n 1)"
}

install_package() {
    say "installing pixel-lm$extras and what it needs (the first time takes a few minutes; log in $log)"
    if ! "$venv/bin/python" -m pip install --disable-pip-version-check --no-input -c constraints.txt -e ".$extras" \
        >"$log" 2>&1 </dev/null; then
        if grep -qE 'NewConnectionError|NameResolutionError|ConnectTimeout|Network is unreachable' "$log"; then
            fail "pip cannot reach its package index: check the network, the proxy or pip's own settings (details in $log)"
        elif grep -q 'No space left on device' "$log"; then
            fail "no space left on the disk of $venv or of the temporary folder (TMPDIR)"
        fi
        fail "pip could not install the packages (details in $log): $(grep -m 1 -iE '^ *error' "$log" || tail -n 1 "$log")"
    fi
}

# What the renderer itself would find, in the system's folders and in the user's.
have_noto() {
    "$venv/bin/python" - <<'PYTHON'
import sys
from pixel_lm.rendering.discovery import find_font

wanted = ["NotoSans-Regular.ttf", "NotoSansDevanagari-Regular.ttf"]
cjk = ["NotoSansCJK-Regular.ttc", "NotoSansJP-Regular.ttf"]  # from Debian, from `pixel-lm fonts install`
sys.exit(not (all(map(find_font, wanted)) and any(map(find_font, cjk))))
PYTHON
}

check_fonts() {
    have_noto && return
    packages="fonts-noto-core fonts-noto-cjk fonts-dejavu-core"
    missing="without Noto fonts, Indic, Thai, Chinese, Japanese, Korean, Ethiopic and other scripts may be missing from strips"
    if can_install_debian_packages; then
        say "installing Debian's fonts: $packages"
        # shellcheck disable=SC2086
        install_debian_packages $packages && have_noto && return
        say "they could not be installed; going on: $missing"
    elif command -v apt-get >/dev/null; then
        say "$missing; get them with $venv/bin/pixel-lm fonts install, or as root: apt-get install $packages"
    else
        say "$missing; get them with $venv/bin/pixel-lm fonts install, or name folders with font files in PIXEL_LM_FONT_PATH"
    fi
}

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    make_venv
elif ! recent_enough "$venv/bin/python"; then
    fail "$venv was made with $("$venv/bin/python" --version), Python 3.11 or newer is needed: remove the folder and try again"
fi
install_package
check_fonts
