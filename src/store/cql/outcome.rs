//! What the driver's answers mean: whether it happened, and what a conditional write met.

use scylla::errors::{DbError, ExecutionError, RequestAttemptError};
use scylla::response::query_result::QueryResult;
use scylla::value::{CqlValue, Row};

use crate::store::StoreError;

/// A write that failed: certainly not applied, or nobody knows.
pub(super) fn write_failed(error: &ExecutionError) -> StoreError {
    if is_surely_refused(error) { not_applied(error) } else { StoreError::Unknown(error.to_string()) }
}

/// A conditional write that failed. It is decided in rounds, of which a later one may meet a database that is busy or
/// short of replicas: only what was never sent was surely not applied.
pub(super) fn condition_failed(error: &ExecutionError) -> StoreError {
    match error {
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(
            DbError::Unavailable { .. } | DbError::Overloaded | DbError::RateLimitReached { .. },
            _,
        )) => StoreError::Unknown(error.to_string()),
        _ => write_failed(error),
    }
}

/// A read that failed; it may always be tried again.
pub(super) fn read_failed(error: impl std::fmt::Display) -> StoreError {
    not_applied(error)
}

/// Something that was not done.
pub(super) fn not_applied(error: impl std::fmt::Display) -> StoreError {
    StoreError::NotApplied(error.to_string())
}

/// An answer whose form is not that of the statement.
pub(super) fn unexpected(table: &'static str, error: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt { table, why: error.to_string() }
}

/// Whether a failed write was surely not applied: it was never sent, or its coordinator said so before it asked a
/// replica. A time-out, a broken connection and an answer that cannot be read say nothing.
fn is_surely_refused(error: &ExecutionError) -> bool {
    match error {
        ExecutionError::BadQuery(_)
        | ExecutionError::EmptyPlan
        | ExecutionError::PrepareError(_)
        | ExecutionError::ConnectionPoolError(_)
        | ExecutionError::UseKeyspaceError(_) => true,
        ExecutionError::LastAttemptError(attempt) => match attempt {
            RequestAttemptError::SerializationError(_)
            | RequestAttemptError::CqlRequestSerialization(_)
            | RequestAttemptError::UnableToAllocStreamId
            | RequestAttemptError::RepreparedIdChanged { .. }
            | RequestAttemptError::RepreparedIdMissingInBatch => true,
            RequestAttemptError::DbError(told, _) => matches!(
                told,
                DbError::Unavailable { .. }
                    | DbError::Overloaded
                    | DbError::IsBootstrapping
                    | DbError::SyntaxError
                    | DbError::Invalid
                    | DbError::Unauthorized
                    | DbError::ConfigError
                    | DbError::Unprepared { .. }
                    | DbError::RateLimitReached { .. }
            ),
            _ => false,
        },
        _ => false,
    }
}

/// What a conditional write answered.
#[derive(Debug)]
pub(super) struct Verdict {
    /// Whether it was applied.
    pub(super) applied: bool,
    columns: Vec<(String, CqlValue)>,
}

impl Verdict {
    /// Reads the one row of an answer. ScyllaDB always tells the old row; Cassandra only what the condition named, and
    /// nothing where the partition is empty: so columns are found by name, and an absent one is a null.
    pub(super) fn read(answer: QueryResult) -> Result<Self, StoreError> {
        let failed = |error: &dyn std::fmt::Display| unexpected("a conditional answer", error);
        let rows = answer.into_rows_result().map_err(|error| failed(&error))?;
        let names: Vec<String> = rows.column_specs().iter().map(|column| column.name().to_owned()).collect();
        let row: Row = rows.first_row().map_err(|error| failed(&error))?;
        let mut columns = names.into_iter().zip(row.columns);
        let Some((_, Some(CqlValue::Boolean(applied)))) = columns.next() else {
            return Err(failed(&"its first column does not say whether it was applied"));
        };
        let columns = columns.filter_map(|(name, value)| Some((name, value?))).collect();
        Ok(Self { applied, columns })
    }

    /// A number that was there instead.
    pub(super) fn number(&self, column: &str) -> Option<i64> {
        self.columns.iter().find(|(name, _)| name == column).and_then(|(_, value)| value.as_bigint())
    }
}
