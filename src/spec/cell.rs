//! One cell of a sweep: every setting that is said, by the rule that has the last word, and the
//! defaults of the rest. Knows nothing of how cells are made or what becomes of them.

use std::borrow::Cow;

use super::error::{Fault, Site};
use super::keys::{Acts, Key, Of, Plain, Scope};
use super::rules::Match;
use super::value::{Setting, Value};

/// Who says a setting; later ones win.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// `[base]`.
    Base,
    /// A grid, a zip or a when.
    Axis,
    /// An arm.
    Arm,
    /// An include.
    Include,
    /// `--set`.
    Set,
}

/// A setting with the rule that says it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said<'s> {
    pub(crate) setting: &'s Setting,
    pub(crate) layer: Layer,
}

/// The settings of one cell.
#[derive(Clone, Debug)]
pub struct Cell<'s> {
    said: [Option<Said<'s>>; Key::COUNT],
    /// The place to point at where only defaults are wrong.
    top: &'s Site,
}

impl<'s> Cell<'s> {
    /// Returns the cell in which nothing is said.
    pub fn new(top: &'s Site) -> Self {
        Self { said: [None; Key::COUNT], top }
    }

    /// Says settings, unless a later layer has said them already.
    pub fn say(&mut self, layer: Layer, settings: impl IntoIterator<Item = &'s Setting>) {
        for setting in settings {
            let slot = &mut self.said[setting.key.index()];
            if slot.is_none_or(|said| said.layer <= layer) {
                *slot = Some(Said { setting, layer });
            }
        }
    }

    /// Returns what is said of a key.
    pub(crate) fn said(&self, key: Key) -> Option<Said<'s>> {
        self.said[key.index()]
    }

    /// Returns what is said, else the default where there is one.
    pub(crate) fn value(&self, key: Key) -> Option<Cow<'s, Value>> {
        match self.said(key) {
            Some(said) => Some(Cow::Borrowed(&said.setting.value)),
            None => self.default(key).map(Cow::Owned),
        }
    }

    /// Returns the value of a key that takes whole numbers and has a default.
    pub(crate) fn int(&self, key: Plain) -> u32 {
        u32::try_from(self.long(key)).unwrap_or(u32::MAX)
    }

    /// Returns the value of a key that takes large whole numbers and has a default.
    pub(crate) fn long(&self, key: Plain) -> u64 {
        match self.value(Key::Plain(key)).as_deref() {
            Some(Value::Int(value)) => *value,
            _ => unreachable_kind(key, 0),
        }
    }

    /// Returns the value of a key that takes numbers and has a default.
    pub(crate) fn float(&self, key: Plain) -> f64 {
        match self.value(Key::Plain(key)).as_deref() {
            Some(Value::Float(value)) => *value,
            _ => unreachable_kind(key, f64::NAN),
        }
    }

    /// Returns the value of a key that takes words, or "" where nothing is said and no default is.
    pub(crate) fn word(&self, key: Plain) -> &'static str {
        match self.value(Key::Plain(key)).as_deref() {
            Some(Value::Word(word)) => word,
            _ => "",
        }
    }

    /// Returns the text that is said of a key.
    pub(crate) fn text(&self, key: Plain) -> Option<&'s str> {
        match &self.said(Key::Plain(key))?.setting.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the value of a key that takes sizes and has a default.
    pub(crate) fn sizes(&self, key: Plain) -> Vec<u32> {
        match self.value(Key::Plain(key)).as_deref() {
            Some(Value::Sizes(sizes)) => sizes.clone(),
            _ => unreachable_kind(key, Vec::new()),
        }
    }

    /// Returns whether the encoder is the small one for CPUs, which has smaller defaults.
    pub(crate) fn is_convnet(&self) -> bool {
        self.word(Plain::EncoderName) == "convnet"
    }

    fn default(&self, key: Key) -> Option<Value> {
        match key {
            Key::Plain(key) => self.plain_default(key),
            Key::Remove(Scope::Both | Scope::T | Scope::TPrime) => Some(Value::Ops(Vec::new())),
            Key::Param(..) => None,
        }
    }

    /// The defaults: the paper's 300-epoch settings (section 5), SimCLR's own heads (its section
    /// 2.3), and sizes for CPUs with the convnet.
    fn plain_default(&self, key: Plain) -> Option<Value> {
        let simclr = || self.word(Plain::Method) == "simclr";
        let by_encoder =
            |resnet: u32, convnet: u32| if self.is_convnet() { convnet } else { resnet };
        let by_method = |byol: u32, simclr_: u32| if simclr() { simclr_ } else { byol };
        let int = |value: u32| Value::Int(value.into());
        Some(match key {
            Plain::Method => Value::Word("byol"),
            Plain::DataName | Plain::DataPath | Plain::DataDigest | Plain::DataTrainLimit => {
                return None;
            }
            Plain::DataSubsetSeed | Plain::ShapesSeed => Value::Int(0),
            Plain::DataImageSize => match self.word(Plain::DataName) {
                "cifar10" => Value::Int(32),
                "idx" => Value::Int(28),
                "image_folder" => Value::Int(224),
                _ => Value::Int(self.long(Plain::ShapesSide)),
            },
            Plain::ShapesTrain => Value::Int(5000),
            Plain::ShapesTest => Value::Int(1000),
            Plain::ShapesSide => Value::Int(32),
            Plain::EncoderName => Value::Word(match self.word(Plain::DataName) {
                "cifar10" => "resnet18",
                "image_folder" => "resnet50",
                _ => "convnet",
            }),
            Plain::EncoderWidth => Value::Float(1.0),
            Plain::EncoderStem => {
                Value::Word(if self.int(Plain::DataImageSize) <= 64 { "small" } else { "imagenet" })
            }
            Plain::EncoderLastScale => Value::Word("one"),
            Plain::ProjectorDepth => self.depth_of(Plain::ProjectorHidden),
            Plain::ProjectorHidden => Value::Sizes(vec![by_encoder(by_method(4096, 2048), 512)]),
            Plain::ProjectorOut => int(by_encoder(by_method(256, 128), 128)),
            Plain::ProjectorOutputNorm => Value::Word(if simclr() { "batch_norm" } else { "none" }),
            Plain::ProjectorLr | Plain::PredictorLr => Value::Float(1.0),
            Plain::PredictorKind => Value::Word(if simclr() { "none" } else { "mlp" }),
            Plain::PredictorDepth => self.depth_of(Plain::PredictorHidden),
            Plain::PredictorHidden => Value::Sizes(vec![by_encoder(4096, 512)]),
            Plain::PredictorOut => Value::Int(self.long(Plain::ProjectorOut)),
            Plain::Epochs => Value::Int(300),
            Plain::WarmupEpochs => {
                Value::Float((f64::from(self.int(Plain::Epochs)) / 10.0).min(10.0))
            }
            Plain::UpdateBatchSize => Value::Word("same"),
            Plain::BatchSize => int(by_encoder(4096, 256)),
            Plain::Target => Value::Word(if simclr() { "online" } else { "average" }),
            Plain::TauBase => Value::Float(0.99),
            Plain::TauSchedule => Value::Word("cosine"),
            Plain::Beta => Value::Float(if simclr() { 1.0 } else { 0.0 }),
            Plain::Temperature => Value::Float(0.1),
            Plain::LossScale => {
                // Where beta is said, it is the one of InfoNCE: an axis of it has one constant.
                let is_said = self.said(Key::Plain(Plain::Beta)).is_some();
                Value::Word(if simclr() && !is_said { "mean_over_views" } else { "info_nce" })
            }
            Plain::LossNormalization => Value::Word("l2"),
            Plain::OptimizerName => Value::Word("lars"),
            Plain::BaseLr => Value::Float(0.3),
            Plain::Momentum => Value::Float(0.9),
            Plain::WeightDecay => Value::Float(1e-6),
            Plain::TrustCoefficient => Value::Float(1e-3),
            Plain::Precision => Value::Word("fp32"),
            Plain::AugmentPreset => Value::Word("byol"),
            Plain::AugmentOnly => return None,
            Plain::AugmentJitter => Value::Word("paper"),
        })
    }

    /// A list of hidden sizes says how deep a head is.
    fn depth_of(&self, hidden: Plain) -> Value {
        match self.sizes(hidden).as_slice() {
            [] => Value::Int(1),
            sizes => Value::Int(sizes.len() as u64 + 1),
        }
    }

    /// Returns whether a key acts in this cell.
    pub(crate) fn acts(&self, key: Key) -> bool {
        match key.info().acts {
            Acts::Always => true,
            Acts::Where(other, words) => words.contains(&self.word(other)),
            Acts::Number(other, of) => of.holds(self.float(other)),
            Acts::With(other) => self.said(Key::Plain(other)).is_some(),
        }
    }

    /// Returns whether all conditions hold; one on a setting that does not act never does.
    pub fn matches(&self, matches: &Match) -> bool {
        matches.conditions.iter().all(|condition| {
            condition.allowed.iter().any(|allowed| {
                self.acts(allowed.key)
                    && self.value(allowed.key).is_some_and(|value| *value == allowed.value)
            })
        })
    }

    /// Checks that a setting of an axis, an arm or an include acts here.
    ///
    /// # Errors
    /// Fails where it does not: the cell would be another one under a wrong name.
    pub fn check_acts(&self, layer: Layer, setting: &Setting) -> Result<(), Fault> {
        if self.acts(setting.key) {
            return Ok(());
        }
        let path = setting.key.path();
        let label = match layer {
            Layer::Axis | Layer::Arm => "has no effect in some cells",
            Layer::Base | Layer::Include | Layer::Set => "has no effect",
        };
        Err(match setting.key.info().acts {
            Acts::Where(other, words) => {
                let acting = format!("\"{}\"", words.first().unwrap_or(&""));
                self.idle(layer, setting, label, self.reason(other, acting))
            }
            Acts::Number(other, of) => {
                let acting = match of {
                    Of::Zero => "0",
                    Of::One => "1",
                    Of::Positive => "0.5",
                };
                self.idle(layer, setting, label, self.reason(other, acting.to_owned()))
            }
            Acts::Always | Acts::With(_) => {
                let needs = setting.key.info().acts.to_string();
                let message = format!("`{path}` acts only where {needs}");
                Fault::new(message, &setting.key_site, label)
            }
        })
    }

    /// Says which setting keeps one that needs `acting` from acting. A knob of the family that
    /// follows from the method is told as the method.
    fn reason(&self, knob: Plain, acting: String) -> Reason {
        let follows = [Plain::Target, Plain::PredictorKind, Plain::Beta].contains(&knob);
        if follows && self.said(Key::Plain(knob)).is_none() {
            let (found, acting) = match self.word(Plain::Method) {
                "simclr" => ("simclr", "byol"),
                byol => (byol, "simclr"),
            };
            let quoted = |word: &str| format!("\"{word}\"");
            return Reason { key: Plain::Method, found: quoted(found), acting: quoted(acting) };
        }
        let found = match self.value(Key::Plain(knob)).as_deref() {
            Some(Value::Word(word)) => format!("\"{word}\""),
            Some(Value::Float(number)) => number.to_string(),
            Some(Value::Int(_) | Value::Text(_) | Value::Sizes(_) | Value::Ops(_)) | None => {
                String::new()
            }
        };
        Reason { key: knob, found, acting }
    }

    fn idle(&self, layer: Layer, setting: &Setting, label: &str, reason: Reason) -> Fault {
        let path = setting.key.path();
        let Reason { key, found, acting } = reason;
        let other = key.info().path;
        let message = format!("`{path}` cannot act in cells with `{other} = {found}`");
        let help = match layer {
            Layer::Axis => format!(
                "give it to the cells where it acts:\n[[when]]\nmatch = {{ {other} = {acting} }}\ngrid = {{ {path} = ... }}"
            ),
            Layer::Arm => format!(
                "an arm changes every cell: leave the other cells out of this sweep, or make it an axis:\n[[when]]\nmatch = {{ {other} = {acting} }}\ngrid = {{ {path} = ... }}"
            ),
            Layer::Base | Layer::Include | Layer::Set => {
                format!("it acts with `{other} = {acting}`; leave it out here")
            }
        };
        let fault = Fault::new(message, &setting.key_site, label).help(help);
        match self.said(Key::Plain(key)) {
            Some(said) => fault.and(&said.setting.value_site, format!("{found} comes from here")),
            None => fault,
        }
    }

    /// Returns the fault of values that do not go together, at the one that was said last.
    pub(crate) fn fault(&self, message: impl Into<String>, keys: &[Key], label: &str) -> Fault {
        let mut said: Vec<_> = keys.iter().filter_map(|key| self.said(*key)).collect();
        said.sort_by_key(|said| std::cmp::Reverse(said.layer));
        let mut sites = said.iter().map(|said| &said.setting.value_site);
        let fault = Fault::new(message, sites.next().unwrap_or(self.top), label);
        match sites.next() {
            Some(site) => fault.and(site, "with this"),
            None => fault,
        }
    }
}

/// What keeps a setting from acting.
struct Reason {
    key: Plain,
    /// As a file would say it.
    found: String,
    /// With which it would act.
    acting: String,
}

/// Stands for a kind that the table of settings excludes; a test goes through all of them.
fn unreachable_kind<T>(key: Plain, stand_in: T) -> T {
    debug_assert!(false, "{key:?} has no default of its kind");
    stand_in
}
