//! `POST /v1/clock`: moves the business time of a process that was started with `--clock manual`.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::json::Body;
use super::{Edge, Operator, Problem};
use crate::config::units::parse_duration;

/// How long to wait until nothing is queued or in flight, in machine time.
const QUIET_WITHIN: Duration = Duration::from_secs(10);
/// The longest step.
const STEP_MAX: Duration = Duration::from_secs(366 * 24 * 3_600);

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/v1/clock").route(web::post().to(advance)));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    /// As `15m`, `24h`.
    advance: String,
}

async fn advance(edge: web::Data<Edge>, _: Operator, asked: Body<Advance>) -> Result<HttpResponse, Problem> {
    let Some(clock) = &edge.manual_clock else { return Err(Problem::not_found("route")) };
    let step = parse_duration(&asked.value.advance).filter(|step| *step <= STEP_MAX);
    let step =
        step.ok_or_else(|| Problem::invalid("advance", "it is a span such as `15m` or `24h`, at most a year"))?;
    let end = tokio::time::Instant::now() + QUIET_WITHIN;
    // What is under way belongs to the time before the step.
    while (edge.shards.census().await.open_effects > 0 || edge.numbers.calls_under_way() > 0)
        && tokio::time::Instant::now() < end
    {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    clock.advance(step);
    Ok(HttpResponse::Ok().json(json!({ "now": edge.now().to_string() })))
}
