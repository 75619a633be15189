//! The part of a URL that all calls of an account share, parsed once.

use std::sync::Arc;

use hyper::Uri;
use hyper::header::HeaderValue;

/// Why a base URL is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// It does not parse as a URL.
    #[error("not a URL")]
    NotAUrl,
    /// Only `http` and `https` are spoken.
    #[error("the scheme is neither http nor https")]
    Scheme,
    /// No host, or a user name and password before it.
    #[error("the host is missing, or has a user name before it")]
    Host,
    /// A base ends before the query.
    #[error("a base URL has no query")]
    Query,
}

/// Scheme, host, port and path prefix. It has no `Debug`: some platforms carry the token in the path.
#[derive(Clone)]
pub struct BaseUrl {
    pub(super) https: bool,
    pub(super) host: Arc<str>,
    pub(super) port: u16,
    pub(super) host_header: HeaderValue,
    prefix: Arc<str>,
    pub(super) authority: Arc<str>,
}

impl BaseUrl {
    /// Parses `http://host[:port][/prefix]` or the same with `https`.
    ///
    /// # Errors
    /// [`BaseUrlError`] says what is wrong; the text itself is not repeated.
    pub fn parse(text: &str) -> Result<Self, BaseUrlError> {
        let uri: Uri = text.parse().map_err(|_| BaseUrlError::NotAUrl)?;
        let https = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(BaseUrlError::Scheme),
        };
        let authority = uri.authority().ok_or(BaseUrlError::Host)?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(BaseUrlError::Host);
        }
        if uri.query().is_some() {
            return Err(BaseUrlError::Query);
        }
        let port = authority.port_u16().unwrap_or(if https { 443 } else { 80 });
        let scheme = if https { "https" } else { "http" };
        Ok(Self {
            https,
            host: authority.host().trim_start_matches('[').trim_end_matches(']').into(),
            port,
            host_header: HeaderValue::from_str(authority.as_str()).map_err(|_| BaseUrlError::Host)?,
            prefix: uri.path().trim_end_matches('/').into(),
            authority: format!("{scheme}://{}:{port}", authority.host()).into(),
        })
    }

    /// The request target for `path` (empty, or with a leading slash) below this base.
    pub(super) fn target(&self, path: &str) -> Option<Uri> {
        if self.prefix.is_empty() && path.is_empty() {
            return Some(Uri::from_static("/"));
        }
        if !path.is_empty() && !path.starts_with('/') {
            return None;
        }
        Uri::try_from(format!("{}{path}", self.prefix)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_stand_below_the_prefix() {
        let cases = [
            ("https://graph.example.com/v25.0", "/1/messages", "https://graph.example.com:443", "/v25.0/1/messages"),
            ("http://127.0.0.1:9/", "/a?b=c", "http://127.0.0.1:9", "/a?b=c"),
            ("http://[::1]:80/hook", "", "http://[::1]:80", "/hook"),
            ("http://h", "", "http://h:80", "/"),
        ];
        for (text, path, authority, target) in cases {
            let url = BaseUrl::parse(text).ok().unwrap();
            assert_eq!((&*url.authority, url.target(path).unwrap().to_string().as_str()), (authority, target));
        }
        assert_eq!(&*BaseUrl::parse("http://[::1]:80/hook").ok().unwrap().host, "::1");
    }

    #[test]
    fn what_is_no_base_is_refused() {
        let cases = [
            ("ftp://h", BaseUrlError::Scheme),
            ("/only/a/path", BaseUrlError::Scheme),
            ("http://user:pass@h/", BaseUrlError::Host),
            ("http://h/?q=1", BaseUrlError::Query),
            ("http://h h", BaseUrlError::NotAUrl),
        ];
        for (text, why) in cases {
            assert_eq!(BaseUrl::parse(text).err(), Some(why), "{text}");
        }
        assert!(BaseUrl::parse("http://h").ok().unwrap().target("no-slash").is_none());
    }
}
