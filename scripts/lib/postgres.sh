#!/bin/bash
# A PostgreSQL server for tests, reached by a socket that only this machine sees. It keeps nothing: its data are not
# synced to the disk, and `stop` removes them.
#
#   scripts/lib/postgres.sh start DIR    prints the URL of the database, once it answers; again, if it runs already
#   scripts/lib/postgres.sh stop DIR     stops the server and removes DIR
#   scripts/lib/postgres.sh halt DIR fast|immediate, then resume DIR    as when the machine of a database restarts
#
# DIR is made. Its path is at most 80 bytes long, since that of a socket has to fit into 107. Sourced, it offers
# start_postgres DIR and stop_postgres DIR.

postgres_folder() { # where the server's programs are
  local folder root
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
  for folder in /usr/lib/postgresql/15/bin "$root/build/peers/postgresql/usr/lib/postgresql/15/bin" \
    /usr/lib/postgresql/*/bin; do
    if [[ -x $folder/initdb && -x $folder/pg_isready ]]; then
      echo "$folder"
      return 0
    fi
  done
  if command -v pg_config >/dev/null && [[ -x $(pg_config --bindir)/initdb ]]; then
    pg_config --bindir
    return 0
  fi
  echo "PostgreSQL's initdb is not found: install the package postgresql-15, or run scripts/test, which fetches it" >&2
  return 1
}

# The server refuses to run as root.
postgres_user() {
  if [[ $(id -u) -ne 0 ]]; then
    id -un
  elif id postgres >/dev/null 2>&1; then
    echo postgres
  else
    echo nobody
  fi
}

as_postgres_user() { # command...
  local user
  user=$(postgres_user)
  if [[ $user == "$(id -un)" ]]; then
    "$@"
  else
    (cd / && setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups env HOME=/ "$@")
  fi
}

postgres_answers() { # folder of programs, DIR
  "$1/pg_isready" --quiet --timeout=3 --host="$2" --port=5432 --dbname=rapporteur
}

launch_postgres() { # folder of programs, DIR
  as_postgres_user "$1/pg_ctl" --pgdata="$2/data" --log="$2/server.log" --silent --wait --timeout=60 \
    --options="-c listen_addresses='' -c unix_socket_directories='$2' -c port=5432 -c fsync=off \
-c full_page_writes=off -c jit=off -c max_connections=200" start </dev/null >>"$2/log" 2>&1
}

# Ends the server as an administrator (fast) or a crash (immediate) does, and leaves its data.
halt_postgres() { # DIR, mode
  local programs target
  target=$(cd "$1" && pwd) && programs=$(postgres_folder) || return 1
  as_postgres_user "$programs/pg_ctl" --pgdata="$target/data" --mode="$2" --silent --wait --timeout=60 stop >/dev/null
}

# Starts it again behind halt_postgres.
resume_postgres() { # DIR
  local programs target
  target=$(cd "$1" && pwd) && programs=$(postgres_folder) || return 1
  launch_postgres "$programs" "$target"
}

# The port only names the socket, and DIR is this server's alone.
start_postgres() { # DIR
  local programs target user url
  programs=$(postgres_folder) || return 1
  mkdir -p "$1" || return 1
  target=$(cd "$1" && pwd) || return 1
  user=$(postgres_user)
  url="postgresql://$user@/rapporteur?host=$target&port=5432"
  if postgres_answers "$programs" "$target"; then echo "$url" && return 0; fi
  if [[ ${#target} -gt 80 ]]; then
    echo "The path $target is too long for a socket: at most 80 bytes" >&2
    return 1
  fi
  if [[ $(id -u) -eq 0 ]]; then chown "$user" "$target" || return 1; fi
  if ! as_postgres_user test -w "$target"; then
    echo "The user '$user', as whom the server runs, cannot reach $target" >&2
    return 1
  fi
  rm -rf "$target/data"
  if ! as_postgres_user test -x "$programs/initdb"; then # it lies in a folder that only we can enter
    cp -r "${programs%/usr/lib/postgresql/*}" "$target/programs" || return 1
    programs=$target/programs/usr/lib/postgresql/${programs##*/usr/lib/postgresql/}
  fi
  if ! as_postgres_user "$programs/initdb" --pgdata="$target/data" --username="$user" --auth=trust --encoding=UTF8 \
    --locale=C --no-sync >"$target/log" 2>&1 ||
    ! launch_postgres "$programs" "$target" ||
    ! as_postgres_user "$programs/createdb" --host="$target" --port=5432 --username="$user" rapporteur \
      >>"$target/log" 2>&1; then
    echo "PostgreSQL does not start:" >&2
    tail -n 20 "$target/log" "$target/server.log" >&2
    return 1
  fi
  echo "$url"
}

stop_postgres() { # DIR
  local programs target
  [[ -d $1 ]] || return 0
  target=$(cd "$1" && pwd) || return 1
  if [[ -f $target/data/postmaster.pid ]]; then
    programs=$(postgres_folder) || return 1
    as_postgres_user "$programs/pg_ctl" --pgdata="$target/data" --mode=immediate --silent --wait --timeout=60 stop \
      >/dev/null || return 1
  fi
  # Only what a server has left: DIR may be another one than was meant.
  rm -rf "$target/data" "$target/programs" "$target/log" "$target/server.log"
  rmdir "$target" 2>/dev/null || true
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  set -euo pipefail
  case ${1-}:$# in
    start:2) start_postgres "$2" ;;
    stop:2) stop_postgres "$2" ;;
    halt:3) halt_postgres "$2" "$3" ;;
    resume:2) resume_postgres "$2" ;;
    *)
      echo "usage: scripts/lib/postgres.sh start|stop|resume DIR, or halt DIR fast|immediate" >&2
      exit 2
      ;;
  esac
fi
