#!/bin/sh
# Brings a snapshot's files into the empty tables of a node: after `tidegate migrate` made them, before Tidegate starts.
#
#   restore.sh KEYSPACE FOLDER [NODE]
#
# FOLDER holds a folder for each keyspace and in it one for each table, `FOLDER/<keyspace>/<table>`, with the files of that
# node's snapshot; the node (127.0.0.1) reads them itself. NODETOOL as in `snapshot.sh`. Run it for each node with its files.
# ScyllaDB has no `import`: there, copy each folder to the table's `upload` and run `nodetool refresh <keyspace> <table>`.
set -eu
keyspace=$1 folder=$2 node=${3:-127.0.0.1}

for of in "$keyspace" "${keyspace}_meta"; do
    if ! [ -d "$folder/$of" ]; then
        echo "restore.sh: there is no folder $folder/$of" >&2
        exit 1
    fi
done
for of in "$keyspace" "${keyspace}_meta"; do
    for files in "$folder/$of"/*; do
        # A table that was empty has nothing to bring.
        [ -n "$(find "$files" -name '*-Data.db')" ] || continue
        # The files stay where they are, for another time.
        ${NODETOOL:-nodetool} -h "$node" import --copy-data "$of" "$(basename "$files")" "$files"
    done
done
