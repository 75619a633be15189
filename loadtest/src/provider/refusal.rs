//! Meta's errors: code, HTTP status, title, and the body that carries them.

use bytes::Bytes;
use hyper::StatusCode;
use serde_json::json;

/// A refusal in Meta's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: u32,
    pub(super) details: &'static str,
}

impl Refusal {
    pub(super) const fn new(code: u32, details: &'static str) -> Self {
        Self { code, details }
    }

    /// The documented HTTP status. Rate errors are 400, but for calls of the app, which many have seen as 429.
    pub(super) const fn status(self) -> StatusCode {
        match self.code {
            0 | 190 => StatusCode::UNAUTHORIZED,
            4 => StatusCode::TOO_MANY_REQUESTS,
            PAGE => StatusCode::BAD_GATEWAY,
            132_001 => StatusCode::NOT_FOUND,
            2 | FULL => StatusCode::SERVICE_UNAVAILABLE,
            131_000 => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    pub(super) fn body(self) -> Bytes {
        if self.code == PAGE {
            return Bytes::from_static(b"<html><body>Sorry, something went wrong.</body></html>");
        }
        let message = format!("(#{}) {}", self.code, title(self.code));
        let body = json!({"error": {
            "message": message, "type": "OAuthException", "code": self.code,
            "error_data": {"messaging_product": "whatsapp", "details": self.details}, "fbtrace_id": "Aloadtest",
        }});
        Bytes::from(body.to_string())
    }
}

/// A page of a gateway, which is no error of Meta's and so has no code of theirs.
pub(super) const PAGE: u32 = 502;
/// The provider can keep no more; no code of theirs, either.
pub(super) const FULL: u32 = 503;

/// A short name for a code.
pub(super) const fn title(code: u32) -> &'static str {
    match code {
        2 => "Service temporarily unavailable",
        4 => "Application request limit reached",
        100 => "Invalid parameter",
        190 => "Invalid OAuth access token",
        FULL => "The ledger is full",
        130_429 => "Rate limit hit",
        131_000 => "Something went wrong",
        131_008 => "Required parameter is missing",
        131_009 => "Parameter value is not valid",
        131_026 => "Message undeliverable",
        131_049 => "Meta chose not to deliver",
        131_051 => "Unsupported message type",
        131_056 => "(Business Account, Consumer Account) pair rate limit hit",
        132_001 => "Template name does not exist in the translation",
        _ => "Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_the_documented_ones() {
        for (code, status) in [
            (190, 401),
            (4, 429),
            (130_429, 400),
            (131_056, 400),
            (132_001, 404),
            (131_000, 500),
            (2, 503),
            (PAGE, 502),
        ] {
            assert_eq!(Refusal::new(code, "").status().as_u16(), status, "{code}");
        }
        let body: serde_json::Value = serde_json::from_slice(&Refusal::new(130_429, "slow").body()).unwrap();
        assert_eq!(
            (&body["error"]["code"], &body["error"]["error_data"]["details"]),
            (&json!(130_429), &json!("slow"))
        );
        assert!(serde_json::from_slice::<serde_json::Value>(&Refusal::new(PAGE, "").body()).is_err());
    }
}
