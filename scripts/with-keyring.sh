#!/usr/bin/env bash
# Runs a command with a D-Bus session and a gnome-keyring of its own, in temporary folders, and ends all of it with
# the command. Nothing of the user's own session, home or keyring is read or changed.
#
#   scripts/with-keyring.sh [--unlocked | --locked | --no-collection | --no-service | --activatable] [--] CMD…
#
#   --unlocked       (default) a service with an unlocked `login` collection
#   --locked         the same, locked
#   --no-collection  a service that has no `login` and no default collection
#   --no-service     a bus on which nobody offers secrets, and nobody can be started to
#   --activatable    a bus on which nobody offers secrets yet, but gnome-keyring would be started by a call
#
# The password of the `login` collection is `se-native`; `SE_KEYRING_PASSWORD` holds it for the command.
# Needs dbus-daemon, dbus-send, gnome-keyring-daemon (packages dbus and gnome-keyring) and setpriv (util-linux).
# Exits as the command does; 125 when the keyring could not be brought up.
set -euo pipefail

fail() {
  echo "with-keyring: $*" >&2
  exit 125
}

variant=unlocked
case "${1:-}" in
--unlocked | --locked | --no-collection | --no-service | --activatable)
  variant=${1#--}
  shift
  ;;
esac
[ "${1:-}" != -- ] || shift
[ $# -gt 0 ] || fail "no command given: scripts/with-keyring.sh [--unlocked | --locked | --no-collection | --no-service | --activatable] [--] CMD…"

for program in dbus-daemon dbus-send gnome-keyring-daemon setpriv; do
  command -v "$program" >/dev/null || fail "$program is missing (Debian: apt-get install dbus gnome-keyring util-linux)"
done

dir=$(mktemp -d "${TMPDIR:-/tmp}/se-keyring.XXXXXXXX")
bus= keyring= child=

# Ends the daemons, waits until they are gone, then removes the folders.
end() {
  trap - EXIT
  for pid in $keyring $bus; do kill -TERM "$pid" 2>/dev/null || true; done
  for pid in $keyring $bus; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$dir"
}
trap end EXIT

mkdir -m 700 "$dir/home" "$dir/run" "$dir/services"
mkdir -p "$dir/data/keyrings" "$dir/cache" "$dir/config"
export HOME=$dir/home XDG_DATA_HOME=$dir/data XDG_RUNTIME_DIR=$dir/run XDG_CACHE_HOME=$dir/cache \
  XDG_CONFIG_HOME=$dir/config SE_KEYRING_PASSWORD=se-native
unset DISPLAY WAYLAND_DISPLAY GNOME_KEYRING_CONTROL DBUS_SESSION_BUS_ADDRESS DBUS_SESSION_BUS_PID

# Like the session bus of a desktop, but it starts nothing: not gnome-keyring by itself, and no prompter, which would
# want a display. Limits as in /usr/share/dbus-1/session.conf.
cat >"$dir/bus.conf" <<CONF
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=$dir/run/bus</listen>
  <auth>EXTERNAL</auth>
  <servicedir>$dir/services</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
  <limit name="max_incoming_bytes">1000000000</limit>
  <limit name="max_outgoing_bytes">1000000000</limit>
  <limit name="max_message_size">1000000000</limit>
  <limit name="max_completed_connections">100000</limit>
  <limit name="max_connections_per_user">100000</limit>
  <limit name="max_replies_per_connection">50000</limit>
  <limit name="max_match_rules_per_connection">50000</limit>
</busconfig>
CONF

if [ "$variant" = activatable ]; then
  cat >"$dir/services/org.freedesktop.secrets.service" <<SERVICE
[D-BUS Service]
Name=org.freedesktop.secrets
Exec=$(command -v gnome-keyring-daemon) --start --foreground --components=secrets
SERVICE
fi

# `setpriv --pdeathsig`: should this script be killed outright, the bus goes too, and the keyring goes with the bus.
mkfifo "$dir/ready"
setpriv --pdeathsig KILL -- \
  dbus-daemon --config-file="$dir/bus.conf" --nofork --nopidfile --print-address=1 >"$dir/ready" 2>"$dir/bus.log" </dev/null &
bus=$!
read -r -t 10 DBUS_SESSION_BUS_ADDRESS <"$dir/ready" || fail "dbus-daemon did not start: $(cat "$dir/bus.log")"
export DBUS_SESSION_BUS_ADDRESS

ask_bus() { dbus-send --session --print-reply=literal --dest=org.freedesktop.DBus / "org.freedesktop.DBus.$1" string:"$2" 2>/dev/null; }
service() { dbus-send --session --print-reply=literal --dest=org.freedesktop.secrets /org/freedesktop/secrets "org.freedesktop.Secret.Service.$1" "${@:2}"; }

# Waits until a condition holds, as long as the keyring lives.
await() {
  local deadline=$((SECONDS + 20))
  until "$@"; do
    kill -0 "$keyring" 2>/dev/null || fail "gnome-keyring-daemon ended: $(cat "$dir/keyring.log")"
    [ $SECONDS -lt $deadline ] || fail "gnome-keyring-daemon is not ready: $(cat "$dir/keyring.log")"
    read -r -t 0.02 <>"$dir/ready" || true
  done
}
owned() { ask_bus NameHasOwner org.freedesktop.secrets | grep -q 'boolean true'; }
has_login() { service ReadAlias string:default 2>/dev/null | grep -q /collection/login; }

if [ "$variant" = unlocked ] || [ "$variant" = locked ] || [ "$variant" = no-collection ]; then
  unlock=--unlock
  [ "$variant" != no-collection ] || unlock=
  printf %s "$SE_KEYRING_PASSWORD" |
    setpriv --pdeathsig KILL -- gnome-keyring-daemon --foreground $unlock --components=secrets >"$dir/keyring.log" 2>&1 &
  keyring=$!
  await owned
  # Proof of which program answers: the process that the bus names as the owner is the one started here.
  owner=$(ask_bus GetConnectionUnixProcessID org.freedesktop.secrets | grep -o '[0-9]*$')
  [ "$owner" = "$keyring" ] || fail "process $owner answers for org.freedesktop.secrets, not the gnome-keyring-daemon started here"
  [ "$(basename "$(readlink "/proc/$owner/exe")")" = gnome-keyring-daemon ] || fail "process $owner is not gnome-keyring-daemon"
  export SE_KEYRING_PID=$owner
  [ "$variant" = no-collection ] || await has_login
  [ "$variant" != locked ] || service Lock array:objpath:/org/freedesktop/secrets/collection/login >/dev/null
elif [ "$variant" = no-service ] || [ "$variant" = activatable ]; then
  ! owned || fail "somebody answers for org.freedesktop.secrets on a new bus"
fi

# In the background, so that signals reach the command at once; with its own standard input, and with the signals
# that a shell ignores for background commands given back.
env --default-signal=INT,QUIT setpriv --pdeathsig TERM -- "$@" <&0 &
child=$!
for signal in TERM INT HUP QUIT USR1 USR2; do
  # shellcheck disable=SC2064 # the signal of this turn
  trap "kill -$signal $child 2>/dev/null || true" $signal
done
status=0
while :; do
  { wait "$child" && status=0 || status=$?; } 2>/dev/null
  kill -0 "$child" 2>/dev/null || break
done
end
exit "$status"
