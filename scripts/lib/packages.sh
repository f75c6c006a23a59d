# shellcheck shell=bash
# shellcheck disable=SC2034
# Sourced by scripts/test and scripts/demo: installs what they need on Debian 12, and nothing else.

build_packages=(
  git cmake ninja-build g++ pkg-config ca-certificates
  libboost1.81-dev libtomlplusplus-dev nlohmann-json3-dev libsimdjson-dev libopendkim-dev
  libssl-dev libcurl4-openssl-dev libunbound-dev libgmime-3.0-dev libre2-dev libidn2-dev
  libsqlite3-dev libpq-dev libdeflate-dev zlib1g-dev libcli11-dev libspdlog-dev libfmt-dev libjson-c-dev
  libxxhash-dev libzip-dev
)

# What the peers of the end-to-end tests and of the demo need.
peer_packages=(
  openssl python3 python3-aiosmtpd python3-dkim python3-nacl python3-dnslib python3-pytest
)

test_packages=(clang-format libgtest-dev libgmock-dev libbenchmark-dev python3-cryptography)

# What Debian's Postfix needs to run without being installed.
postfix_libraries=(libdb5.3 libicu72 libnsl2 libsasl2-2 libssl3)

# Installs those of the named packages that are missing; one call of dpkg-query if none is.
install_packages() {
  local missing=() package installed
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || true)
  for package in "$@"; do
    [[ $'\n'$installed$'\n' == *$'\n'"$package installed"$'\n'* ]] || missing+=("$package")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0
  local root=()
  if [[ $(id -u) -ne 0 ]]; then
    if ! command -v sudo >/dev/null; then
      echo "These packages are missing, and neither root nor sudo is at hand: ${missing[*]}" >&2
      return 1
    fi
    root=(sudo)
  fi
  echo "== Installing ${missing[*]}"
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq update
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq install -y --no-install-recommends "${missing[@]}"
}

# Puts Debian's Postfix, a peer of the end-to-end tests, into build/peers/postfix, once. It is unpacked and not
# installed: that would take the place of this machine's own mail server, and start it. An installed one is used.
fetch_postfix() {
  local target=build/peers/postfix work attempt
  if [[ -x /usr/lib/postfix/sbin/master || -x $target/usr/lib/postfix/sbin/master ]]; then return 0; fi
  install_packages "${postfix_libraries[@]}"
  echo "== Fetching Postfix"
  mkdir -p build/peers
  work=$(mktemp -d "$PWD/build/peers/fetch.XXXXXX")
  for attempt in 1 2; do
    if (cd "$work" && timeout 300 apt-get -qq -o APT::Sandbox::User="$(id -un)" download postfix); then break; fi
    # The list of packages may be old, or missing.
    if [[ $attempt -eq 2 ]] || ! refresh_package_list; then
      echo "Debian's package 'postfix' cannot be downloaded; the tests need it, installed or in $target" >&2
      rm -rf "$work"
      return 1
    fi
  done
  dpkg-deb -x "$work"/postfix_*.deb "$work/postfix"
  rm -rf "$target"
  mv "$work/postfix" "$target"
  rm -rf "$work"
}

refresh_package_list() {
  local root=()
  [[ $(id -u) -eq 0 ]] || root=(sudo)
  timeout 300 "${root[@]}" apt-get -qq update
}

# How many compilers run at once: as many as there are processors, fewer where memory is short (some
# files need more than a gigabyte under sanitizers).
build_jobs() {
  local processors memory
  processors=$(nproc)
  memory=$(awk '/^MemAvailable:/ { print int($2 / 1572864) }' /proc/meminfo)
  echo $((memory < 1 ? 1 : memory < processors ? memory : processors))
}
