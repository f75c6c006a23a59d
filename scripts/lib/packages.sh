# shellcheck shell=bash
# shellcheck disable=SC2034,SC2016
# Sourced by scripts/test and scripts/demo: installs what they need on Debian 12, and nothing else.

build_packages=(
  git cmake ninja-build g++ pkg-config ca-certificates
  libboost1.81-dev libtomlplusplus-dev nlohmann-json3-dev libsimdjson-dev libopendkim-dev
  libssl-dev libcurl4-openssl-dev libunbound-dev libevent-dev libgmime-3.0-dev libre2-dev libidn2-dev
  libsqlite3-dev libpq-dev libdeflate-dev zlib1g-dev libcli11-dev libspdlog-dev libfmt-dev libjson-c-dev
  libxxhash-dev libzip-dev libpsl-dev
)

# What the peers of the end-to-end tests and of the demo need.
peer_packages=(
  openssl python3 python3-aiosmtpd python3-dkim python3-nacl python3-dnslib python3-pytest
)

test_packages=(
  clang-format libgtest-dev libgmock-dev libbenchmark-dev python3-cryptography
  systemd util-linux man-db groff-base bash zsh fish
)

# What packing needs, and what the test of the packages needs beside it.
package_packages=(dpkg-dev file gzip)
lint_packages=(lintian)
chroot_packages=(debootstrap)

# What Debian's Postfix needs to run without being installed.
postfix_libraries=(libdb5.3 libicu72 libnsl2 libsasl2-2 libssl3)

# Likewise for PostgreSQL, without what it compiles queries with.
postgres_libraries=(
  libgssapi-krb5-2 libicu72 libldap-2.5-0 liblz4-1 libpam0g libpq5 libselinux1 libssl3 libsystemd0 libuuid1 libxml2
  libxslt1.1 libzstd1 tzdata
)

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

# Puts packages of Debian into a folder, once. They are unpacked and not installed: that would start a server of
# theirs, which might take the place of one of this machine's.
unpack_packages() { # folder packages...
  local target=$1 work attempt package
  shift
  echo "== Fetching $*"
  mkdir -p build/peers
  work=$(mktemp -d "$PWD/build/peers/fetch.XXXXXX")
  for attempt in 1 2; do
    if (cd "$work" && timeout 300 apt-get -qq -o APT::Sandbox::User="$(id -un)" download "$@"); then break; fi
    # The list of packages may be old, or missing.
    if [[ $attempt -eq 2 ]] || ! refresh_package_list; then
      echo "Debian's packages $* cannot be downloaded; the tests need them, installed or in $target" >&2
      rm -rf "$work"
      return 1
    fi
  done
  for package in "$work"/*.deb; do dpkg-deb -x "$package" "$work/unpacked"; done
  chmod 755 "$work/unpacked"
  rm -rf "$target"
  mv "$work/unpacked" "$target"
  rm -rf "$work"
}

# Postfix, a peer of the end-to-end tests, in build/peers/postfix. An installed one is used.
fetch_postfix() {
  local target=build/peers/postfix
  if [[ -x /usr/lib/postfix/sbin/master || -x $target/usr/lib/postfix/sbin/master ]]; then return 0; fi
  install_packages "${postfix_libraries[@]}"
  unpack_packages "$target" postfix
}

# PostgreSQL, for the tests of stores that several nodes share, in build/peers/postgresql, where scripts/lib/postgres.sh
# finds it. An installed one is used.
fetch_postgres() {
  local target=build/peers/postgresql
  if [[ -x /usr/lib/postgresql/15/bin/initdb || -x $target/usr/lib/postgresql/15/bin/initdb ]]; then return 0; fi
  install_packages "${postgres_libraries[@]}"
  unpack_packages "$target" postgresql-15 postgresql-client-15
}

# Debian 12 and nothing else, in build/peers/debian, from where the machine's own packages come.
fetch_debian() {
  local target=build/peers/debian mirror work
  if [[ -d $target ]]; then return 0; fi
  install_packages "${chroot_packages[@]}"
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' 'Label: Debian' \
    'Component: main' | head -n 1)
  if [[ -z $mirror ]]; then
    echo "This machine does not know where packages of Debian 12 come from" >&2
    return 1
  fi
  echo "== Making $target"
  mkdir -p build/peers
  work=$(mktemp -d "$PWD/build/peers/debian.XXXXXX")
  chmod 755 "$work"
  if ! debootstrap --variant=minbase bookworm "$work" "$mirror" >build/peers/debootstrap.log 2>&1; then
    tail -n 20 build/peers/debootstrap.log >&2
    rm -rf "$work"
    return 1
  fi
  # Updates of this machine's sources that are of Debian 12, too.
  apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' |
    grep ' bookworm' | sort -u >"$work/etc/apt/sources.list"
  apt-config dump --format '%F "%v";%n' Acquire::http Acquire::https >"$work/etc/apt/apt.conf.d/90machine"
  printf '%s;\n' 'APT::Install-Recommends "0"' 'Acquire::Languages "none"' 'Dpkg::Options:: "--force-confold"' \
    >"$work/etc/apt/apt.conf.d/91short"
  # No service may start.
  printf '#!/bin/sh\nexit 101\n' >"$work/usr/sbin/policy-rc.d"
  chmod 755 "$work/usr/sbin/policy-rc.d"
  cp /etc/resolv.conf "$work/etc/resolv.conf"
  chroot "$work" apt-get -qq update
  mv "$work" "$target"
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
