# shellcheck shell=bash
# Completion of rapporteur for bash. Written by scripts/reference from the program's own help.

# Sets `path`: the command that was typed before the cursor, without options and arguments.
_rapporteur_path() {
  local index word known candidate
  known=('run' 'ingest' 'schedule' 'schedule list' 'schedule show' 'schedule explain' 'schedule send-now' 'schedule hold' 'schedule release' 'schedule cancel' 'pause' 'resume' 'stats' 'report' 'report preview' 'report list' 'report show' 'report test' 'delivery' 'delivery list' 'delivery retry' 'delivery abandon' 'suppress' 'suppress list' 'suppress add' 'suppress remove' 'bounce' 'received' 'received add' 'received list' 'received show' 'received summary' 'store' 'store backup' 'store check' 'store copy' 'store prune' 'record' 'check' 'config' 'config check' 'config show' 'config import-stalwart' 'dkim' 'dkim generate' 'expr' 'expr eval')
  path=
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=${COMP_WORDS[index]}
    case $word in
      --after|--as|--at|--bits|--config|--domain|--due-before|--format|--limit|--organization|--out|--part|--reason|--role|--service|--set|--since|--state|--supplement|--to|--type|--until|--window) ((index++)) && continue ;;
      -*) continue ;;
    esac
    for candidate in "${known[@]}"; do
      if [[ $candidate == "${path:+$path }$word" ]]; then path=$candidate && break; fi
    done
  done
}

_rapporteur() {
  local path current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local options='' commands='' values='' files='' awaited=''
  _rapporteur_path
  case $path in
    '')
      options='--version --config --json -h --help'
      commands='run ingest schedule pause resume stats report delivery suppress bounce received store record check config dkim expr'
      case $previous in
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'run')
      options='--role --config --json -h --help'
      case $previous in
        --role) awaited=yes; values='ingest schedule all' ;;
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'ingest')
      options='--format --at --again --send-old --progress --config --json -h --help'
      files=yes
      case $previous in
        --format) awaited=yes; values='auto tlsrpt momentum halon native sys4' ;;
        --at) awaited=yes ;;
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'schedule')
      options='--domain --state --due-before --limit --after --all --config --json -h --help'
      commands='list show explain send-now hold release cancel'
      case $previous in
        --domain) awaited=yes ;;
        --state) awaited=yes; values='collecting due assembled done blocked held suppressed' ;;
        --due-before) awaited=yes ;;
        --limit) awaited=yes ;;
        --after) awaited=yes ;;
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'schedule list')
      options='--domain --state --due-before --limit --after --all --config --json -h --help'
      case $previous in
        --domain) awaited=yes ;;
        --state) awaited=yes; values='collecting due assembled done blocked held suppressed' ;;
        --due-before) awaited=yes ;;
        --limit) awaited=yes ;;
        --after) awaited=yes ;;
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'schedule show')
      options='--config --json -h --help'
      case $previous in
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'schedule explain')
      options='--config --json -h --help'
      case $previous in
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'schedule send-now')
      options='--window --state --reason --dry-run --yes --config --json -h --help'
      case $previous in
        --window) awaited=yes ;;
        --state) awaited=yes; values='collecting due assembled done blocked held suppressed' ;;
        --reason) awaited=yes ;;
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'schedule hold')
      options='--window --state --reason --dry-run --yes --config --json -h --help'
      case $previous in
        --window) awaited=yes ;;
        --state) awaited=yes; values='collecting due assembled done blocked held suppressed' ;;
        --reason) awaited=yes ;;
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'schedule release')
      options='--window --state --reason --dry-run --yes --config --json -h --help'
      case $previous in
        --window) awaited=yes ;;
        --state) awaited=yes; values='collecting due assembled done blocked held suppressed' ;;
        --reason) awaited=yes ;;
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'schedule cancel')
      options='--window --state --reason --dry-run --yes --config --json -h --help'
      case $previous in
        --window) awaited=yes ;;
        --state) awaited=yes; values='collecting due assembled done blocked held suppressed' ;;
        --reason) awaited=yes ;;
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'pause')
      options='--until --smtp --https --config --json -h --help'
      case $previous in
        --until) awaited=yes ;;
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'resume')
      options='--config --json -h --help'
      case $previous in
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'stats')
      options='--nodes --config --json -h --help'
      case $previous in
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'report')
      options='--config --json -h --help'
      commands='preview list show test'
      case $previous in
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'report preview')
      options='--window --supplement --part --as --config --json -h --help'
      case $previous in
        --window) awaited=yes ;;
        --supplement) awaited=yes ;;
        --part) awaited=yes ;;
        --as) awaited=yes; values='json eml' ;;
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'report list')
      options='--domain --limit --config --json -h --help'
      case $previous in
        --domain) awaited=yes ;;
        --limit) awaited=yes ;;
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'report show')
      options='--config --json -h --help'
      case $previous in
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'report test')
      options='--to --domain --config --json -h --help'
      case $previous in
        --to) awaited=yes ;;
        --domain) awaited=yes ;;
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'delivery')
      options='--config --json -h --help'
      commands='list retry abandon'
      case $previous in
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'delivery list')
      options='--domain --state --limit --after --config --json -h --help'
      case $previous in
        --domain) awaited=yes ;;
        --state) awaited=yes; values='pending delivered bounced failed suppressed abandoned uncertain' ;;
        --limit) awaited=yes ;;
        --after) awaited=yes ;;
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'delivery retry')
      options='--domain --state --dry-run --yes --config --json -h --help'
      case $previous in
        --domain) awaited=yes ;;
        --state) awaited=yes; values='pending delivered bounced failed suppressed abandoned uncertain' ;;
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'delivery abandon')
      options='--domain --state --reason --dry-run --yes --config --json -h --help'
      case $previous in
        --domain) awaited=yes ;;
        --state) awaited=yes; values='pending delivered bounced failed suppressed abandoned uncertain' ;;
        --reason) awaited=yes ;;
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'suppress')
      options='--config --json -h --help'
      commands='list add remove'
      case $previous in
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'suppress list')
      options='--config --json -h --help'
      case $previous in
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'suppress add')
      options='--until --reason --config --json -h --help'
      case $previous in
        --until) awaited=yes ;;
        --reason) awaited=yes ;;
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'suppress remove')
      options='--config --json -h --help'
      case $previous in
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'bounce')
      options='--config --json -h --help'
      files=yes
      case $previous in
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'received')
      options='--config --json -h --help'
      commands='add list show summary'
      case $previous in
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'received add')
      options='--config --json -h --help'
      files=yes
      case $previous in
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'received list')
      options='--domain --organization --failed --limit --after --config --json -h --help'
      case $previous in
        --domain) awaited=yes ;;
        --organization) awaited=yes ;;
        --limit) awaited=yes ;;
        --after) awaited=yes ;;
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'received show')
      options='--config --json -h --help'
      case $previous in
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'received summary')
      options='--domain --since --until --csv --config --json -h --help'
      case $previous in
        --domain) awaited=yes ;;
        --since) awaited=yes ;;
        --until) awaited=yes ;;
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'store')
      options='--config --json -h --help'
      commands='backup check copy prune'
      case $previous in
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'store backup')
      options='--config --json -h --help'
      files=yes
      case $previous in
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'store check')
      options='--config --json -h --help'
      case $previous in
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'store copy')
      options='--config --json -h --help'
      case $previous in
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'store prune')
      options='--dry-run --config --json -h --help'
      case $previous in
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'record')
      options='--config --json -h --help'
      case $previous in
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'check')
      options='--domain --config --json -h --help'
      case $previous in
        --domain) awaited=yes ;;
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'config')
      options='--config --json -h --help'
      commands='check show import-stalwart'
      case $previous in
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'config check')
      options='--config --json -h --help'
      case $previous in
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'config show')
      options='--config --json -h --help'
      case $previous in
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'config import-stalwart')
      options='--config --json -h --help'
      files=yes
      case $previous in
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'dkim')
      options='--config --json -h --help'
      commands='generate'
      case $previous in
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'dkim generate')
      options='--type --bits --service --out --config --json -h --help'
      case $previous in
        --type) awaited=yes; values='rsa ed25519' ;;
        --bits) awaited=yes ;;
        --service) awaited=yes; values='tlsrpt' ;;
        --out) awaited=yes; files=yes ;;
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'expr')
      options='--config --json -h --help'
      commands='eval'
      case $previous in
        --config) awaited=yes; files=yes ;;
      esac
      ;;
    'expr eval')
      options='--domain --set --dump --config --json -h --help'
      case $previous in
        --domain) awaited=yes ;;
        --set) awaited=yes ;;
        --config) awaited=yes; files=yes ;;
      esac
      ;;
  esac
  COMPREPLY=()
  if [[ -n $awaited ]]; then
    [[ -z $values ]] || mapfile -t COMPREPLY < <(compgen -W "$values" -- "$current")
  elif [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
  elif [[ -n $commands ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current")
  fi
  if [[ -n $files && ( -n $awaited || $current != -* ) ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current")
  fi
}

complete -F _rapporteur rapporteur
