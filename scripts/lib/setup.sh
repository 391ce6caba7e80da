# Sourced by the scripts beside it, which have changed to the project's folder.

say() {
    printf 'fillpath: %s\n' "$*" >&2
}

# Names the Python to make the environment with: $PYTHON where it is set, else the system's own, else the newest. The
# system's was built with profile-guided optimisation, a version manager's mostly was not: a fifth of an order's CPU.
find_python() {
    if [ -n "${PYTHON:-}" ]; then
        printf '%s\n' "$PYTHON"
        return 0
    fi
    for folder in $(system_folder) ''; do
        for name in python3.14 python3.13 python3.12 python3.11 python3; do
            if is_usable "$folder$name" && { [ -z "$folder" ] || makes_environments "$folder$name"; }; then
                printf '%s\n' "$folder$name"
                return 0
            fi
        done
    done
    return 1
}

# Each one is tried: a version manager leaves programs behind that only print which versions it does not have.
is_usable() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

makes_environments() {
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1
}

system_folder() {
    case ":$PATH:" in *:/usr/bin:*) printf '/usr/bin/' ;; esac
}

# set_up run|test: the virtual environment with what the lock names. Costs one short Python when nothing changed.
set_up() {
    if [ -x .venv/bin/python ] && .venv/bin/python -I -S scripts/lib/set_up.py --check "$1" 2>/dev/null; then
        return 0
    fi
    if [ -n "${PYTHON:-}" ] && ! is_usable "$PYTHON"; then
        say "PYTHON=$PYTHON is no Python 3.11 or newer that runs: name another, or unset it to have one found"
        return 1
    elif python=$(find_python); then
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
