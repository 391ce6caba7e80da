# Sourced by scripts/run and scripts/test, which have changed to the project's folder.

say() {
    printf 'fillpath: %s\n' "$*" >&2
}

# Names the first Python that really runs and is new enough. Each one is tried: a version manager leaves
# programs behind that only print which versions it does not have.
find_python() {
    for candidate in python3.14 python3.13 python3.12 python3.11 python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
    return 1
}

# set_up run|test: the virtual environment with what the lock names. Costs one short Python when nothing changed.
set_up() {
    if [ -x .venv/bin/python ] && .venv/bin/python -I -S scripts/lib/set_up.py --check "$1" 2>/dev/null; then
        return 0
    fi
    if python=$(find_python); then
        "$python" scripts/lib/set_up.py "$1"
    elif command -v uv >/dev/null 2>&1; then
        # The interpreter that uv may have to fetch stays in this folder too.
        UV_PYTHON_INSTALL_DIR=${UV_PYTHON_INSTALL_DIR:-$(pwd -P)/var/python}
        export UV_PYTHON_INSTALL_DIR
        uv run --quiet --no-project --python '>=3.11,<3.15' scripts/lib/set_up.py "$1"
    else
        say 'needs Python 3.11 or newer and found none: install one (`apt install python3 python3-venv`) or uv'
        return 1
    fi
}
