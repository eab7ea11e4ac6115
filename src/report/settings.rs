//! What was run, beside what the paper ran. Knows nothing of results.

use std::collections::BTreeSet;

use super::gathered::Gathered;
use super::table::{Column, TableInfo};
use crate::spec::run::{
    EncoderSpec, HeadSpec, JitterArithmetic, Loss, Normalization, OptimizerSpec, Precision,
    Predictor, RunSpec, Source, Stem, Target,
};
use crate::store::rows::TrialRow;

/// A setting of the sweep: a name, and what it is in a run.
struct Setting {
    name: &'static str,
    /// The axis that makes it vary on purpose.
    axis: &'static str,
    /// What the paper's ablations use (section 5, appendices C and F); `None` where it has no such
    /// thing.
    paper: Option<&'static str>,
    here: fn(&RunSpec) -> Option<String>,
}

const SETTINGS: [Setting; 19] = [
    Setting {
        name: "images",
        axis: "data.name",
        paper: Some("ImageNet-1k"),
        here: |run| Some(images(run)),
    },
    Setting {
        name: "view side (px)",
        axis: "data.image_size",
        paper: Some("224"),
        here: |run| Some(run.data.image_size.to_string()),
    },
    Setting {
        name: "encoder",
        axis: "encoder.name",
        paper: Some("ResNet-50"),
        here: |run| Some(encoder(&run.encoder)),
    },
    Setting {
        name: "epochs",
        axis: "epochs",
        paper: Some("300"),
        here: |run| Some(run.epochs.to_string()),
    },
    Setting {
        name: "warm-up (epochs)",
        axis: "warmup_epochs",
        paper: Some("10"),
        here: |run| Some(run.warmup_epochs.to_string()),
    },
    Setting {
        name: "images per update",
        axis: "update_batch_size",
        paper: Some("4096"),
        here: |run| Some(run.update_batch_size.to_string()),
    },
    Setting {
        name: "images per forward pass",
        axis: "batch_size",
        paper: Some("4096"),
        here: |run| Some(run.batch_size.to_string()),
    },
    Setting {
        name: "optimizer",
        axis: "optimizer.name",
        paper: Some("LARS"),
        here: |run| Some(optimizer(&run.optimizer).to_owned()),
    },
    Setting {
        name: "base learning rate",
        axis: "optimizer.base_lr",
        paper: Some("0.3"),
        here: |run| Some(run.optimizer.base_lr().to_string()),
    },
    Setting {
        name: "weight decay",
        axis: "optimizer.weight_decay",
        paper: Some("1e-6"),
        here: |run| Some(format!("{:e}", run.optimizer.weight_decay())),
    },
    Setting {
        name: "tau base",
        axis: "tau_base",
        paper: Some("0.99"),
        here: |run| match run.target {
            // Constant targets are told by the target.
            Target::Average { tau_base, .. } if tau_base > 0.0 && tau_base < 1.0 => {
                Some(tau_base.to_string())
            }
            Target::Average { .. } | Target::Online => None,
        },
    },
    Setting {
        name: "temperature",
        axis: "temperature",
        paper: None,
        here: |run| match run.loss {
            Loss::NtXent { temperature, .. } | Loss::InfoNce { temperature, .. } => {
                Some(temperature.to_string())
            }
            Loss::Regression { .. } => None,
        },
    },
    Setting {
        name: "projector layers",
        axis: "projector.",
        paper: Some("4096-256"),
        here: |run| run.predictor.as_ref().map(|_| layers(&run.projector)),
    },
    Setting {
        name: "predictor layers",
        axis: "predictor.",
        paper: Some("4096-256"),
        here: |run| match &run.predictor {
            Some(Predictor::Head(head)) => Some(layers(head)),
            Some(Predictor::Optimal(_)) => Some("the best matrix of each batch".to_owned()),
            None => None,
        },
    },
    Setting {
        name: "loss normalization",
        axis: "loss_normalization",
        paper: Some("l2"),
        here: |run| match run.loss {
            Loss::Regression { normalization } => Some(match normalization {
                Normalization::L2 => "l2".to_owned(),
                Normalization::Layer => "layer".to_owned(),
                Normalization::Batch => "batch".to_owned(),
                Normalization::None => "none".to_owned(),
            }),
            Loss::NtXent { .. } | Loss::InfoNce { .. } => None,
        },
    },
    Setting {
        name: "precision",
        axis: "precision",
        paper: None,
        here: |run| match run.precision {
            Precision::Fp32 => None,
            Precision::Tf32 => Some("TF32".to_owned()),
            Precision::Bf16 => Some("bfloat16".to_owned()),
        },
    },
    Setting {
        name: "color jitter",
        axis: "augment.jitter",
        paper: Some("the paper's"),
        here: |run| {
            let jitter = run.views.t.color_jitter.or(run.views.t_prime.color_jitter)?;
            Some(match jitter.arithmetic {
                JitterArithmetic::Paper => "the paper's".to_owned(),
                JitterArithmetic::Torchvision => "torchvision's".to_owned(),
            })
        },
    },
    Setting {
        name: "smallest crop (share of the image)",
        axis: "augment.crop.min_area",
        paper: Some("0.08"),
        here: |run| {
            let crop = run.views.t.crop.or(run.views.t_prime.crop)?;
            Some(crop.min_area.to_string())
        },
    },
    Setting {
        name: "augmentations",
        axis: "augment.remove",
        paper: Some("crop, flip, color jitter, grayscale, blur, solarize"),
        here: |run| Some(augmentations(run)),
    },
];

/// The paper's, of the linear classifier (appendix C.1).
const LINEAR_EPOCHS: &str = "80";

/// A setting that is not the paper's.
pub(super) struct Difference {
    pub(super) name: &'static str,
    pub(super) here: String,
    pub(super) paper: &'static str,
}

/// Returns the settings that all cells share.
pub(super) fn table(gathered: &Gathered) -> TableInfo {
    let shared = shared(gathered).into_iter();
    let mut rows: Vec<Vec<String>> =
        shared.map(|(setting, here)| vec![setting.name.to_owned(), here]).collect();
    rows.push(vec!["evaluation".to_owned(), evaluation(gathered)]);
    let workers = &gathered.sweep.workers;
    if !workers.is_empty() {
        let here = format!("{} binaries: {}", workers.len(), workers.join("; "));
        rows.push(vec!["workers".to_owned(), here]);
    }
    let columns = vec![Column::words("setting"), Column::words("here")];
    let title = "Settings".to_owned();
    TableInfo { id: "settings", title, columns, rows, footnotes: Vec::new() }
}

/// Returns what sets a sweep that reproduces a table apart from the paper's; `None` for others.
pub(super) fn differences_table(gathered: &Gathered) -> Option<TableInfo> {
    let row = |Difference { name, here, paper }| vec![name.to_owned(), here, paper.to_owned()];
    let rows: Vec<Vec<String>> = differences(gathered).into_iter().map(row).collect();
    let columns = vec![Column::words("setting"), Column::words("here"), Column::words("paper")];
    let title = "Differences from the paper's setting".to_owned();
    let table = TableInfo { id: "differences", title, columns, rows, footnotes: Vec::new() };
    (!table.rows.is_empty()).then_some(table)
}

/// Returns the settings that are not the paper's; none where the sweep reproduces no table of it.
pub(super) fn differences(gathered: &Gathered) -> Vec<Difference> {
    if gathered.sweep.reproduces.is_none() {
        return Vec::new();
    }
    let differing = |(setting, here): (&'static Setting, String)| {
        let paper = setting.paper.filter(|paper| here != *paper)?;
        Some(Difference { name: setting.name, here, paper })
    };
    let linear = gathered.sweep.eval.linear.epochs.to_string();
    let evaluated = (linear != LINEAR_EPOCHS).then_some(Difference {
        name: "epochs of the linear classifier",
        here: linear,
        paper: LINEAR_EPOCHS,
    });
    shared(gathered).into_iter().filter_map(differing).chain(evaluated).collect()
}

/// Returns data set, encoder and length in a few words, for charts.
pub(super) fn in_short(gathered: &Gathered) -> String {
    let wanted = ["images", "encoder", "epochs"];
    let shared = shared(gathered);
    let parts = shared.into_iter().filter(|(setting, _)| wanted.contains(&setting.name));
    let words = parts.map(|(setting, here)| match setting.name {
        "epochs" => format!("{here} epochs"),
        _ => here,
    });
    words.collect::<Vec<_>>().join(", ")
}

fn shared(gathered: &Gathered) -> Vec<(&'static Setting, String)> {
    let axes = &gathered.sweep.axes;
    // A whole table varies where one of its settings does.
    let about = |axis: &String, setting: &Setting| match setting.axis.ends_with('.') {
        true => axis.starts_with(setting.axis),
        false => axis == setting.axis,
    };
    let fixed = SETTINGS.iter().filter(|setting| !axes.iter().any(|axis| about(axis, setting)));
    fixed.filter_map(|setting| Some((setting, values(gathered, setting.here)?))).collect()
}

/// The values that trials have, in order, or how many there are. Arms change settings on purpose:
/// where there is a baseline, its settings are told.
fn values(gathered: &Gathered, here: impl Fn(&RunSpec) -> Option<String>) -> Option<String> {
    let is_baseline = |trial: &&TrialRow| {
        trial.labels.iter().any(|label| label.arm.as_deref() == Some("baseline"))
    };
    let mut trials: Vec<&TrialRow> = gathered.trials.iter().filter(is_baseline).collect();
    if trials.is_empty() {
        trials = gathered.trials.iter().collect();
    }
    let values: BTreeSet<String> = trials.iter().filter_map(|trial| here(&trial.run)).collect();
    match values.len() {
        0 => None,
        1..=3 => Some(values.into_iter().collect::<Vec<_>>().join(" or ")),
        many => Some(format!("{many} values")),
    }
}

/// The operators that any of the two views goes through.
fn augmentations(run: &RunSpec) -> String {
    let (a, b) = (&run.views.t, &run.views.t_prime);
    let operators = [
        (a.crop.is_some() || b.crop.is_some(), "crop"),
        (a.flip.is_some() || b.flip.is_some(), "flip"),
        (a.color_jitter.is_some() || b.color_jitter.is_some(), "color jitter"),
        (a.grayscale.is_some() || b.grayscale.is_some(), "grayscale"),
        (a.blur.is_some() || b.blur.is_some(), "blur"),
        (a.solarize.is_some() || b.solarize.is_some(), "solarize"),
    ];
    let names: Vec<&str> =
        operators.into_iter().filter(|(used, _)| *used).map(|(_, name)| name).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn evaluation(gathered: &Gathered) -> String {
    let eval = &gathered.sweep.eval;
    let on = eval.data.as_ref().map(|source| format!(" on {}", source_words(source)));
    let tested = match &eval.data {
        Some(source) => tested_on(source),
        None => gathered.trials.first().and_then(|trial| tested_on(&trial.run.data.source)),
    };
    let tested = tested.map(|images| format!("; {images} test images"));
    format!(
        "frozen encoder{}{}; linear classifier, {} epochs; kNN, k = {}",
        on.unwrap_or_default(),
        tested.unwrap_or_default(),
        eval.linear.epochs,
        eval.knn.k
    )
}

/// How many test images there are, where the settings alone tell.
fn tested_on(source: &Source) -> Option<u32> {
    match source {
        Source::Shapes { test, .. } => Some(*test),
        Source::Cifar10 => Some(10_000),
        Source::Idx { .. } | Source::ImageFolder { .. } => None,
    }
}

fn images(run: &RunSpec) -> String {
    let source = source_words(&run.data.source);
    match run.data.subset {
        Some(subset) => format!("{} images of {source}", subset.images),
        None => source,
    }
}

fn source_words(source: &Source) -> String {
    match source {
        Source::Shapes { train, .. } => format!("{train} generated shapes"),
        Source::Cifar10 => "CIFAR-10".to_owned(),
        Source::Idx { .. } => "IDX files".to_owned(),
        Source::ImageFolder { .. } => "a folder of images".to_owned(),
    }
}

fn encoder(encoder: &EncoderSpec) -> String {
    match encoder {
        EncoderSpec::Convnet { width } => wide("a convnet of four layers".to_owned(), *width),
        EncoderSpec::Resnet { depth, width, stem, last_scale: _ } => {
            let stem = match stem {
                Stem::Small => " with the small stem",
                Stem::Imagenet => "",
            };
            wide(format!("ResNet-{depth}{stem}"), f64::from(*width))
        }
    }
}

fn wide(name: String, width: f64) -> String {
    if width == 1.0 { name } else { format!("{name}, width {width}") }
}

/// Sizes of hidden layers and output: `4096-256`.
fn layers(head: &HeadSpec) -> String {
    let sizes = head.hidden.iter().chain([&head.out]).map(u32::to_string);
    sizes.collect::<Vec<_>>().join("-")
}

fn optimizer(optimizer: &OptimizerSpec) -> &'static str {
    match optimizer {
        OptimizerSpec::Lars { .. } => "LARS",
        OptimizerSpec::Sgd { .. } => "SGD",
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use crate::published;

    #[test]
    fn the_papers_settings_are_those_of_its_ablation_tables() {
        for table in published::ids().filter_map(published::table) {
            let setting = &table.setting;
            for part in ["ImageNet-1k, ResNet-50 1x, 300 epochs", "batch 4096, base lr 0.3"] {
                assert!(setting.contains(part), "{}: {setting}", table.id);
            }
            assert!(setting.contains("weight decay 1e-6, tau_base 0.99"), "{}", table.id);
        }
    }

    #[test]
    fn only_what_differs_and_is_no_axis_is_a_difference() {
        let told = |gathered: &Gathered| -> Vec<String> {
            let line = |d: Difference| format!("{}: {} for {}", d.name, d.here, d.paper);
            differences(gathered).into_iter().map(line).collect()
        };
        let mut gathered = samples::batch_sweep();
        assert_eq!(
            told(&gathered),
            [
                "images: CIFAR-10 for ImageNet-1k",
                "view side (px): 32 for 224",
                "encoder: ResNet-18 with the small stem for ResNet-50",
                "epochs: 100 for 300",
                "images per update: 1024 for 4096",
                "augmentations: none for crop, flip, color jitter, grayscale, blur, solarize",
            ]
        );
        gathered.sweep.reproduces = None;
        assert!(told(&gathered).is_empty());
    }

    #[test]
    fn several_workers_are_a_setting_worth_telling() {
        let mut gathered = samples::batch_sweep();
        let last = |gathered: &Gathered| table(gathered).rows.pop().unwrap_or_default();
        assert_eq!(last(&gathered)[0], "evaluation");
        gathered.sweep.workers = vec!["aaaaaaaa 0.1.0".to_owned(), "bbbbbbbb".to_owned()];
        assert_eq!(last(&gathered), ["workers", "2 binaries: aaaaaaaa 0.1.0; bbbbbbbb"]);
    }
}
