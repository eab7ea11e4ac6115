//! The devices of this machine: how busy they are, and how many attempts compute there.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

use super::super::error::Refusal;
use super::super::house::{House, aside};
use super::{Sheet, round};
use crate::exec::meters::{Host, Meters};
use crate::exec::nvml::GpuMeter;
use crate::ids::DeviceId;
use crate::ui::words;

/// Milliseconds between two readings while somebody looks.
const EVERY: u32 = 2000;

/// Answers with all devices.
pub(in super::super) async fn page(State(house): State<House>) -> Result<Response, Refusal> {
    let live = house.store.live_attempts().await?;
    let mut attempts: BTreeMap<DeviceId, usize> = BTreeMap::new();
    for attempt in live {
        *attempts.entry(attempt.device).or_default() += 1;
    }
    let of = house.clone();
    let meters = aside(move || of.meters()).await?;
    let body = html! {
        h1 { "Devices" }
        div #devices .cards data-live data-every=(EVERY) { (cards(&meters, &attempts)) }
    };
    Ok(Sheet { title: "Devices", above: Vec::new(), body }.respond(StatusCode::OK))
}

fn cards(meters: &Meters, attempts: &BTreeMap<DeviceId, usize>) -> Markup {
    html! {
        (host(&meters.host, attempts.get(&DeviceId::Cpu).copied().unwrap_or(0)))
        @for meter in &meters.gpus {
            (gpu(meter, attempts))
        }
        @if meters.gpus.is_empty() { p.empty { "No GPU is visible here." } }
    }
}

fn host(host: &Host, attempts: usize) -> Markup {
    let used =
        host.memory.map(|memory| (memory.total - memory.available.min(memory.total), memory.total));
    html! {
        article #cpu .card {
            h2 { "cpu" span.muted { " · " (words::plural(host.cores as usize, "core")) } }
            p.muted { (words::plural(attempts, "attempt")) @if let Some(load) = host.load { ", load " (format!("{load:.1}")) } }
            @if let Some(busy) = host.busy { (meter("busy", busy, &words::percent(busy))) }
            @if let Some((used, total)) = used { (memory(used, total)) }
        }
    }
}

fn gpu(meter_of: &GpuMeter, attempts: &BTreeMap<DeviceId, usize>) -> Markup {
    let GpuMeter { gpu, used_bytes, busy_percent, celsius, watts } = meter_of;
    // A part of a card and the card share an index, and no name.
    let here: usize = attempts
        .iter()
        .filter(|(id, _)| matches!(id, DeviceId::Cuda { uuid, .. } if *uuid == gpu.uuid))
        .map(|(_, count)| count)
        .sum();
    html! {
        article.card id=(gpu.uuid) {
            h2 { "cuda:" (gpu.index) span.muted { " · " (gpu.name) } }
            p.muted {
                (words::plural(here, "attempt"))
                @if let Some(celsius) = celsius { ", " (celsius) " °C" }
                @if let Some(watts) = watts { ", " (format!("{watts:.0} W")) }
            }
            @if let Some(busy) = busy_percent {
                (meter("busy", f64::from(*busy) / 100.0, &format!("{busy} %")))
            }
            (memory(*used_bytes, gpu.memory_bytes))
        }
    }
}

fn memory(used: u64, total: u64) -> Markup {
    let words = format!("{} of {}", words::bytes(used), words::bytes(total));
    meter("memory", used as f64 / total.max(1) as f64, &words)
}

fn meter(name: &str, share: f64, words: &str) -> Markup {
    html! {
        div.meter {
            span { (name) }
            meter min="0" max="1" value=(round(share)) aria-label=(name) { (words) }
            span { (words) }
        }
    }
}
