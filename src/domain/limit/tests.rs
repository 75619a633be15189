//! Tests of limit scopes.
