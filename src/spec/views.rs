//! From the settings of the augmentation to the two recipes. Knows nothing of pixels.

use super::cell::{Cell, Layer, Said};
use super::error::Fault;
use super::jitter;
use super::keys::{Key, OPS, Op, Param, Plain, Scope};
use super::run::{
    Blur, ColorJitter, Crop, Flip, Grayscale, JitterArithmetic, Solarize, ViewRecipe, Views,
};
use super::value::Value;

const CROP: Crop =
    Crop { min_area: 0.08, max_area: 1.0, min_aspect: 3.0 / 4.0, max_aspect: 4.0 / 3.0 };

/// Table 6 of BYOL, view T or T'.
fn byol(scope: Scope) -> ViewRecipe {
    let (blur, solarize) = match scope {
        Scope::T | Scope::Both => (1.0, None),
        Scope::TPrime => (0.1, Some(SOLARIZE)),
    };
    ViewRecipe {
        crop: Some(CROP),
        flip: Some(Flip { p: 0.5 }),
        color_jitter: Some(ColorJitter {
            p: 0.8,
            brightness: 0.4,
            contrast: 0.4,
            saturation: 0.2,
            hue: 0.1,
            arithmetic: JitterArithmetic::Paper,
        }),
        grayscale: Some(Grayscale { p: 0.2 }),
        blur: Some(Blur { p: blur, min_sigma: 0.1, max_sigma: 2.0 }),
        solarize,
    }
}

const SOLARIZE: Solarize = Solarize { p: 0.2, threshold: 0.5 };

/// Appendix A of SimCLR at a strength of the colour jitter; both views are alike.
fn simclr(strength: f64) -> ViewRecipe {
    ViewRecipe {
        crop: Some(CROP),
        flip: Some(Flip { p: 0.5 }),
        color_jitter: Some(ColorJitter {
            p: 0.8,
            brightness: 0.8 * strength,
            contrast: 0.8 * strength,
            saturation: 0.8 * strength,
            hue: 0.2 * strength,
            arithmetic: JitterArithmetic::Paper,
        }),
        grayscale: Some(Grayscale { p: 0.2 }),
        blur: Some(Blur { p: 0.5, min_sigma: 0.1, max_sigma: 2.0 }),
        solarize: None,
    }
}

fn preset(name: &str, scope: Scope) -> ViewRecipe {
    match name {
        "byol_small" => ViewRecipe { blur: None, ..byol(scope) },
        "simclr" => simclr(1.0),
        "simclr_small" => ViewRecipe { blur: None, ..simclr(0.5) },
        _ => byol(scope),
    }
}

/// What an operator is where only one of its parameters is set: Table 6, and the solarize of T'
/// in T as well.
fn added(scope: Scope) -> ViewRecipe {
    ViewRecipe { solarize: Some(SOLARIZE), ..byol(scope) }
}

/// Returns the recipes of both views: the preset, then parameters, then `only`, then `remove`.
///
/// # Errors
/// Fails where a setting names an operator that is not there, or sets one that is taken out.
pub(crate) fn views(cell: &Cell<'_>) -> Result<Views, Fault> {
    let mut t = with_parameters(cell, Scope::T)?;
    let mut t_prime = with_parameters(cell, Scope::TPrime)?;
    let full = Views { t: t.clone(), t_prime: t_prime.clone() };

    if let Some(only) = cell.said(Key::Plain(Plain::AugmentOnly)) {
        check_present(&only, &full, Scope::Both, cell)?;
        let kept = ops(&only);
        for op in OPS.into_iter().filter(|op| !kept.contains(op)) {
            check_still_set(cell, &only, op, Scope::Both)?;
            take(&mut t, op);
            take(&mut t_prime, op);
        }
    }

    let mut removed: Vec<(Scope, Op)> = Vec::new();
    for scope in [Scope::Both, Scope::T, Scope::TPrime] {
        let Some(remove) = cell.said(Key::Remove(scope)) else { continue };
        check_present(&remove, &full, scope, cell)?;
        for &op in ops(&remove) {
            if let Some((other, _)) =
                removed.iter().find(|(other, o)| *o == op && overlaps(*other, scope))
            {
                return Err(removed_twice(cell, *other, scope, op));
            }
            removed.push((scope, op));
            check_still_set(cell, &remove, op, scope)?;
            if let Some(only) = cell.said(Key::Plain(Plain::AugmentOnly))
                && remove.layer > Layer::Base
                && !ops(&only).contains(&op)
            {
                let message = format!(
                    "`{}` removes {}, which `augment.only` has taken out",
                    path(&remove),
                    op.name()
                );
                let keys = [remove.setting.key, only.setting.key];
                return Err(cell.fault(message, &keys, "nothing to remove"));
            }
            if scope != Scope::TPrime {
                take(&mut t, op);
            }
            if scope != Scope::T {
                take(&mut t_prime, op);
            }
        }
    }
    let mut views = Views { t, t_prime };
    jitter::set_arithmetic(cell, &mut views)?;
    Ok(views)
}

fn path(said: &Said<'_>) -> &'static str {
    said.setting.key.path()
}

pub(super) fn ops<'s>(said: &Said<'s>) -> &'s [Op] {
    match &said.setting.value {
        Value::Ops(ops) => ops,
        Value::Int(_) | Value::Float(_) | Value::Word(_) | Value::Text(_) | Value::Sizes(_) => &[],
    }
}

fn overlaps(a: Scope, b: Scope) -> bool {
    a == b || a == Scope::Both || b == Scope::Both
}

fn removed_twice(cell: &Cell<'_>, first: Scope, second: Scope, op: Op) -> Fault {
    let keys = [Key::Remove(first), Key::Remove(second)];
    let message = format!(
        "{} is removed twice, by `{}` and `{}`",
        op.name(),
        keys[0].path(),
        keys[1].path(),
    );
    cell.fault(message, &keys, "removed here")
}

/// Checks that the views of the scope have each of the operators that a list names.
fn check_present(
    list: &Said<'_>,
    full: &Views,
    scope: Scope,
    cell: &Cell<'_>,
) -> Result<(), Fault> {
    let present = |op: Op| match scope {
        Scope::Both => has(&full.t, op) || has(&full.t_prime, op),
        Scope::T => has(&full.t, op),
        Scope::TPrime => has(&full.t_prime, op),
    };
    if let Some(op) = ops(list).iter().copied().find(|op| !present(*op)) {
        let preset = cell.word(Plain::AugmentPreset);
        let view = match scope {
            Scope::Both => "",
            Scope::T => " in T",
            Scope::TPrime => " in T'",
        };
        let message = format!(
            "`{}` names {}, which `augment.preset = \"{preset}\"` does not have{view}",
            path(list),
            op.name(),
        );
        let fault = Fault::new(message, &list.setting.value_site, "nothing of this name there");
        let fault = match cell.said(Key::Plain(Plain::AugmentPreset)) {
            Some(said) => fault.and(&said.setting.value_site, "this preset"),
            None => fault,
        };
        return Err(fault.help(format!(
            "the cell would silently be the baseline; leave {op} out of the list, or give the views a {op} first: `augment.{op}.p = 0.5`",
            op = op.name(),
        )));
    }
    Ok(())
}

/// Checks that no axis, arm or include sets a parameter of an operator that is taken out of the
/// views `from`; `[base]` may.
fn check_still_set(cell: &Cell<'_>, by: &Said<'_>, op: Op, from: Scope) -> Result<(), Fault> {
    for param in Param::all().filter(|param| param.op() == op) {
        for scope in [Scope::Both, Scope::T, Scope::TPrime] {
            let Some(said) = cell.said(Key::Param(scope, param)) else { continue };
            let wholly = from == Scope::Both || from == scope;
            if wholly && (Layer::Axis..Layer::Set).contains(&said.layer) {
                let message = format!(
                    "`{}` cannot act: `{}` takes {} out",
                    path(&said),
                    path(by),
                    op.name(),
                );
                let fault = Fault::new(message, &said.setting.key_site, "has no effect");
                return Err(fault.and(&by.setting.value_site, "taken out here"));
            }
        }
    }
    Ok(())
}

/// Returns the preset of a view with the parameters that are set. Of two that set the same, the
/// later rule wins, and in one rule the one that names the view.
fn with_parameters(cell: &Cell<'_>, scope: Scope) -> Result<ViewRecipe, Fault> {
    let mut recipe = preset(cell.word(Plain::AugmentPreset), scope);
    for param in Param::all() {
        let both = cell.said(Key::Param(Scope::Both, param));
        let own = cell.said(Key::Param(scope, param));
        let said = match (both, own) {
            (Some(both), Some(own)) if both.layer > own.layer => both,
            (_, Some(own)) => own,
            (Some(both), None) => both,
            (None, None) => continue,
        };
        if let Value::Float(value) = said.setting.value {
            set(&mut recipe, scope, param, value);
        }
    }
    check_order(cell, scope, &recipe)?;
    drop_never_applied(&mut recipe);
    Ok(recipe)
}

fn set(recipe: &mut ViewRecipe, scope: Scope, param: Param, value: f64) {
    let added = added(scope);
    let crop = |r: &mut ViewRecipe| -> Crop { r.crop.or(added.crop).unwrap_or(CROP) };
    match param {
        Param::CropMinArea => recipe.crop = Some(Crop { min_area: value, ..crop(recipe) }),
        Param::CropMaxArea => recipe.crop = Some(Crop { max_area: value, ..crop(recipe) }),
        Param::CropMinAspect => recipe.crop = Some(Crop { min_aspect: value, ..crop(recipe) }),
        Param::CropMaxAspect => recipe.crop = Some(Crop { max_aspect: value, ..crop(recipe) }),
        Param::FlipP => recipe.flip = Some(Flip { p: value }),
        Param::GrayscaleP => recipe.grayscale = Some(Grayscale { p: value }),
        Param::JitterP => {
            change(&mut recipe.color_jitter, added.color_jitter, |jitter| jitter.p = value);
        }
        Param::Brightness => {
            change(&mut recipe.color_jitter, added.color_jitter, |jitter| {
                jitter.brightness = value;
            });
        }
        Param::Contrast => {
            change(&mut recipe.color_jitter, added.color_jitter, |jitter| jitter.contrast = value);
        }
        Param::Saturation => {
            change(&mut recipe.color_jitter, added.color_jitter, |jitter| {
                jitter.saturation = value;
            });
        }
        Param::Hue => {
            change(&mut recipe.color_jitter, added.color_jitter, |jitter| jitter.hue = value);
        }
        Param::BlurP => change(&mut recipe.blur, added.blur, |blur| blur.p = value),
        Param::BlurMinSigma => change(&mut recipe.blur, added.blur, |blur| blur.min_sigma = value),
        Param::BlurMaxSigma => change(&mut recipe.blur, added.blur, |blur| blur.max_sigma = value),
        Param::SolarizeP => {
            change(&mut recipe.solarize, added.solarize, |solarize| solarize.p = value);
        }
        Param::SolarizeThreshold => {
            change(&mut recipe.solarize, added.solarize, |solarize| solarize.threshold = value);
        }
    }
}

/// Changes an operator, which is added first where it is absent.
fn change<T>(operator: &mut Option<T>, added: Option<T>, change: impl FnOnce(&mut T)) {
    if operator.is_none() {
        *operator = added;
    }
    if let Some(operator) = operator {
        change(operator);
    }
}

fn check_order(cell: &Cell<'_>, scope: Scope, recipe: &ViewRecipe) -> Result<(), Fault> {
    let ordered = |low: f64, high: f64, params: [Param; 2]| {
        if low <= high {
            return Ok(());
        }
        let keys = [Scope::Both, scope].map(|scope| params.map(|param| Key::Param(scope, param)));
        let [low_path, high_path] = params.map(|param| Key::Param(scope, param).path());
        let message = format!("`{low_path}` is {low}, above `{high_path}`, which is {high}");
        Err(cell.fault(message, keys.as_flattened(), "leaves nothing between them"))
    };
    if let Some(crop) = recipe.crop {
        ordered(crop.min_area, crop.max_area, [Param::CropMinArea, Param::CropMaxArea])?;
        ordered(crop.min_aspect, crop.max_aspect, [Param::CropMinAspect, Param::CropMaxAspect])?;
    }
    if let Some(blur) = recipe.blur {
        ordered(blur.min_sigma, blur.max_sigma, [Param::BlurMinSigma, Param::BlurMaxSigma])?;
    }
    Ok(())
}

/// An operator of probability 0 is the same as none: every operator has draws of its own.
fn drop_never_applied(recipe: &mut ViewRecipe) {
    recipe.flip.take_if(|flip| flip.p == 0.0);
    recipe.color_jitter.take_if(|jitter| jitter.p == 0.0);
    recipe.grayscale.take_if(|grayscale| grayscale.p == 0.0);
    recipe.blur.take_if(|blur| blur.p == 0.0);
    recipe.solarize.take_if(|solarize| solarize.p == 0.0);
}

fn has(recipe: &ViewRecipe, op: Op) -> bool {
    match op {
        Op::Crop => recipe.crop.is_some(),
        Op::Flip => recipe.flip.is_some(),
        Op::ColorJitter => recipe.color_jitter.is_some(),
        Op::Grayscale => recipe.grayscale.is_some(),
        Op::Blur => recipe.blur.is_some(),
        Op::Solarize => recipe.solarize.is_some(),
    }
}

fn take(recipe: &mut ViewRecipe, op: Op) {
    match op {
        Op::Crop => recipe.crop = None,
        Op::Flip => recipe.flip = None,
        Op::ColorJitter => recipe.color_jitter = None,
        Op::Grayscale => recipe.grayscale = None,
        Op::Blur => recipe.blur = None,
        Op::Solarize => recipe.solarize = None,
    }
}
