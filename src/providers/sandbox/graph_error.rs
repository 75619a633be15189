//! Meta's errors: code, HTTP status, title, and the body that carries them.

use bytes::Bytes;
use hyper::StatusCode;
use serde_json::json;

/// A refusal in Meta's form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GraphError {
    pub(super) code: i64,
    pub(super) details: &'static str,
}

impl GraphError {
    pub(super) const fn new(code: i64, details: &'static str) -> Self {
        Self { code, details }
    }

    /// The documented HTTP status: rate errors are 400.
    pub(super) fn status(&self) -> StatusCode {
        match self.code {
            0 | 190 => StatusCode::UNAUTHORIZED,
            10 | 200..=299 | 131_005 | 368 | 130_497 => StatusCode::FORBIDDEN,
            132_001 => StatusCode::NOT_FOUND,
            2 | 133_004 => StatusCode::SERVICE_UNAVAILABLE,
            3 | 131_000 | 131_016 | 131_045 | 131_057 => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// Whether Meta adds `X-Business-Use-Case-Usage` to it.
    pub(super) fn tells_usage(&self) -> bool {
        matches!(self.code, 4 | 80_007 | 130_429 | 133_016)
    }

    pub(super) fn body(&self) -> Bytes {
        let message = format!("(#{}) {}", self.code, title(self.code));
        let body = json!({"error": {
            "message": message, "type": "OAuthException", "code": self.code,
            "error_data": {"messaging_product": "whatsapp", "details": self.details}, "fbtrace_id": "Asandbox",
        }});
        Bytes::from(body.to_string())
    }
}

/// A short name for a code.
pub(super) fn title(code: i64) -> &'static str {
    match code {
        4 => "Application request limit reached",
        100 => "Invalid parameter",
        190 => "Invalid OAuth access token",
        130_429 => "Rate limit hit",
        130_472 => "User's number is part of an experiment",
        131_000 => "Something went wrong",
        131_008 => "Required parameter is missing",
        131_009 => "Parameter value is not valid",
        131_016 => "Service unavailable",
        131_026 => "Message undeliverable",
        131_047 => "Re-engagement message",
        131_049 => "This message was not delivered to maintain healthy ecosystem engagement",
        131_050 => "User stopped marketing messages",
        131_051 => "Unsupported message type",
        131_056 => "(Business Account, Consumer Account) pair rate limit hit",
        132_001 => "Template name does not exist in the translation",
        132_015 => "Template is paused",
        _ => "Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_the_documented_ones() {
        for (code, status) in [(190, 401), (130_429, 400), (131_056, 400), (131_047, 400), (131_000, 500), (2, 503)] {
            assert_eq!(GraphError::new(code, "").status().as_u16(), status, "{code}");
        }
        let body: serde_json::Value = serde_json::from_slice(&GraphError::new(130_429, "slow").body()).unwrap();
        assert_eq!(body["error"]["code"], 130_429);
        assert_eq!(body["error"]["message"], "(#130429) Rate limit hit");
        assert_eq!(body["error"]["error_data"]["details"], "slow");
    }
}
