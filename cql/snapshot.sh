#!/bin/sh
# Takes a snapshot of a running Tidegate's keyspaces from which it can be restored: `restore.sh`.
#
#   snapshot.sh KEYSPACE TAG [NODE...]
#
# NODEs are the database's, all of them (127.0.0.1). NODETOOL is the command (nodetool), with its login where it needs one.
#
# One node's tables are linked one after the other while rows are written, so the order decides whether they fit together.
# Each step is taken on every node before the next:
#   1. where each shard's log is settled up to: the rows that come next are at least as new;
#   2. states: none is newer than the log that comes next;
#   3. the log, from before the settled place to past every state;
#   4. facts, which are written before the record that names them.
set -eu
keyspace=$1 tag=$2
shift 2
[ $# -gt 0 ] || set -- 127.0.0.1

take() {
    tables=
    for table in $2; do tables="$tables${tables:+,}$1.$table"; done
    shift 2
    for node in "$@"; do
        ${NODETOOL:-nodetool} -h "$node" snapshot -t "$tag" -kt "$tables"
    done
}

meta=${keyspace}_meta
take "$meta" "store_identity shard_lease" "$@"
take "$keyspace" "entity outbox timer inbox feed ingress \
    contact_list workspace_list delivery_list list_member broadcast_list" "$@"
take "$meta" "shard_journal" "$@"
take "$keyspace" "slice message receipt thread_reference provider_ref address window_gate consent_gate private delivery \
    recipient block_outcome" "$@"
