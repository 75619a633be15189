# Runs a database that must not outlive the test that wants it.
#
#   sh guard.sh FOLDER COMMAND...
#
# The test holds the other end of this shell's input and never writes to it. However the test ends, even by
# kill -9, that end closes: then the database is killed and its folder removed. When the database ends first,
# the folder stays (the test may start it again) and this shell ends with its status.
# The first line of the output is the database's process id.

folder=$1
shift
exec 3<&0 </dev/null
# When the test dies while the database is paused, the kernel hangs up on this whole process group: the guard
# would end before its work is done.
trap '' HUP

"$@" >>"$folder/stdout.log" 2>&1 3<&- &
database=$!
echo "$database"
# Nobody reads on: what keeps the pipe open would only keep a reader waiting.
exec >/dev/null

(
    while read -r _ <&3; do :; done
    : >"$folder/abandoned"
    kill -KILL "$database"
) &
watch=$!
exec 3<&-

wait "$database"
status=$?
kill -KILL "$watch"
# Only now: a live database would write into the folder while it is being removed.
if [ -e "$folder/abandoned" ]; then rm -rf "$folder"; fi
exit "$status"
