//! Which arithmetic the colour jitter of both views has. Knows nothing of pixels.

use super::cell::{Cell, Layer, Said};
use super::error::Fault;
use super::keys::{Key, Op, Plain, Scope};
use super::run::{JitterArithmetic, Views};
use super::views::ops;

const KEY: Key = Key::Plain(Plain::AugmentJitter);

/// Gives the colour jitters of both views the arithmetic that `augment.jitter` names.
///
/// # Errors
/// Fails where an axis, an arm or an include says it and neither view has a colour jitter: the
/// cell would be another one under a wrong name. `[base]` may.
pub(super) fn set_arithmetic(cell: &Cell<'_>, views: &mut Views) -> Result<(), Fault> {
    let arithmetic = match cell.word(Plain::AugmentJitter) {
        "torchvision" => JitterArithmetic::Torchvision,
        _ => JitterArithmetic::Paper,
    };
    let mut jitters: Vec<_> = [&mut views.t, &mut views.t_prime]
        .into_iter()
        .filter_map(|view| view.color_jitter.as_mut())
        .collect();
    if jitters.is_empty()
        && let Some(said) = cell.said(KEY)
        && (Layer::Axis..Layer::Set).contains(&said.layer)
    {
        return Err(without_effect(cell, &said));
    }
    jitters.iter_mut().for_each(|jitter| jitter.arithmetic = arithmetic);
    Ok(())
}

fn without_effect(cell: &Cell<'_>, said: &Said<'_>) -> Fault {
    let message = format!("`{}` cannot act: neither view has a colour jitter", KEY.path());
    let fault = Fault::new(message, &said.setting.key_site, "has no effect").help(
        "say it only where a view has one, or give the views one: `augment.color_jitter.p = 0.8`",
    );
    let only = cell
        .said(Key::Plain(Plain::AugmentOnly))
        .filter(|only| !ops(only).contains(&Op::ColorJitter));
    let removed = [Scope::Both, Scope::T, Scope::TPrime]
        .into_iter()
        .filter_map(|scope| cell.said(Key::Remove(scope)))
        .find(|remove| ops(remove).contains(&Op::ColorJitter));
    match only.or(removed) {
        Some(by) => fault.and(&by.setting.value_site, "taken out here"),
        None => fault,
    }
}
