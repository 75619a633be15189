//! Exports as CSV: the metrics in one line, the recipients streamed page by page.

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web::Bytes;
use futures_util::stream;

use super::{About, shown};
use crate::broadcasts::RecipientShown;
use crate::http::Problem;

/// Recipients that are read together.
const PAGE: usize = 1_000;

pub(super) async fn metrics(about: About) -> Result<HttpResponse, Problem> {
    let view = about.edge.broadcasts.read(&about.asker, about.id).await?;
    let metrics = shown::metrics(&view.tally);
    let names =
        ["recipients", "sent", "delivered", "read", "replied", "failed", "bounce_rate", "read_rate", "reply_rate"];
    let values: Vec<String> = names.iter().map(|name| plain(&metrics[*name])).collect();
    let body = format!(
        "broadcast,name,status,{}\r\n{},{},{},{}\r\n",
        names.join(","),
        view.id,
        quoted(&view.name),
        view.status.word(),
        values.join(",")
    );
    Ok(file("metrics.csv").body(body))
}

pub(super) async fn recipients(about: About) -> Result<HttpResponse, Problem> {
    // The first page is read before anything is answered, so that what stands in the way is told as a problem.
    let first = about.edge.broadcasts.recipients(&about.asker, about.id, None, None, PAGE).await?;
    let head = Bytes::from_static(b"recipient,contact,address,state,attempt,code,skipped,replied\r\n");
    let begun = Some((about, first, Some(head)));
    let lines = stream::unfold(begun, |state| async move {
        let (about, page, head) = state?;
        if let Some(head) = head {
            return Some((Ok::<_, std::io::Error>(head), Some((about, page, None))));
        }
        let text: String = page.items.iter().map(line).collect();
        let Some(after) = page.next else { return Some((Ok(text.into()), None)) };
        match about.edge.broadcasts.recipients(&about.asker, about.id, None, Some(after), PAGE).await {
            Ok(next) => Some((Ok(text.into()), Some((about, next, None)))),
            // The answer breaks off, which the reader sees: half a list must not look like a whole one.
            Err(error) => Some((Err(std::io::Error::other(error)), None)),
        }
    });
    Ok(file("recipients.csv").streaming(lines))
}

fn line(row: &RecipientShown) -> String {
    let who = row.who.as_ref();
    format!(
        "{}.{},{},{},{},{},{},{},{}\r\n",
        row.chunk,
        row.index,
        who.map(|who| who.contact.to_string()).unwrap_or_default(),
        who.map(|who| quoted(&who.to.text)).unwrap_or_default(),
        row.view.state.word(),
        row.view.attempt,
        row.view.refused.map(|refused| refused.code.to_string()).unwrap_or_default(),
        row.view.skipped.map(|reason| plain(&serde_json::json!(reason))).unwrap_or_default(),
        row.view.replied,
    )
}

fn file(name: &str) -> actix_web::HttpResponseBuilder {
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CONTENT_TYPE, "text/csv; charset=utf-8"));
    answer.insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")));
    answer
}

fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A field in quotes where it needs them (RFC 4180). What a spreadsheet would take for a formula begins with a quote
/// mark.
fn quoted(text: &str) -> String {
    let text = if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        let cases = [("Sale", "Sale"), ("a,b", "\"a,b\""), ("say \"hi\"", "\"say \"\"hi\"\"\""), ("=1+1", "'=1+1")];
        for (text, wanted) in cases {
            assert_eq!(quoted(text), wanted);
        }
    }
}
