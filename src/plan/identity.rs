//! Keys of many specs that are alike: the canonical JSON of a part is kept while the part stays
//! the same, since writing it is most of the cost of a plan. Knows no rule of identity of its
//! own: a test holds its keys to those of [`RunSpec`].

use std::fmt::Write;

use serde::Serialize;

use crate::ids::{GroupKey, TrainKey};
use crate::spec::run::{
    DataSpec, EncoderSpec, HeadSpec, Loss, OptimizerSpec, Precision, Predictor, RunSpec, Semantics,
    Target, Views, canonical,
};

/// The last value of a part with its canonical JSON.
struct Part<T>(Option<(T, String)>);

impl<T> Default for Part<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Clone + PartialEq + Serialize> Part<T> {
    fn json(&mut self, value: &T) -> &str {
        let known = self.0.take().filter(|(last, _)| last == value);
        let part = known.unwrap_or_else(|| (value.clone(), canonical(value)));
        &self.0.insert(part).1
    }
}

/// Makes keys; best asked for neighbours in a plan one after the other.
#[derive(Default)]
pub(crate) struct Identity {
    semantics: Part<Semantics>,
    data: Part<DataSpec>,
    views: Part<Views>,
    encoder: Part<EncoderSpec>,
    projector: Part<HeadSpec>,
    predictor: Part<Option<Predictor>>,
    target: Part<Target>,
    loss: Part<Loss>,
    optimizer: Part<OptimizerSpec>,
    warmup_epochs: Part<f64>,
    json: String,
}

impl Identity {
    /// Returns the key of the group, and one of a trial for each seed.
    pub(crate) fn keys(&mut self, run: &RunSpec, seeds: &[u64]) -> (GroupKey, Vec<TrainKey>) {
        let group = GroupKey::of_canonical_json(self.write(run, "null"));
        let train = |seed: &u64| TrainKey::of_canonical_json(self.write(run, &seed.to_string()));
        (group, seeds.iter().map(train).collect())
    }

    /// Writes the canonical JSON, keys sorted.
    fn write(&mut self, run: &RunSpec, seed: &str) -> &str {
        // Every field by name: a new one must find its place here.
        let RunSpec {
            semantics,
            seed: _,
            data,
            views,
            encoder,
            projector,
            predictor,
            target,
            loss,
            optimizer,
            epochs,
            warmup_epochs,
            update_batch_size,
            batch_size,
            precision,
        } = run;
        self.json.clear();
        let written = write!(
            self.json,
            concat!(
                r#"{{"batch_size":{},"data":{},"encoder":{},"epochs":{},"loss":{},"optimizer":{},"#,
                r#"{}"predictor":{},"projector":{},"seed":{},"semantics":{},"target":{},"#,
                r#""update_batch_size":{},"views":{},"warmup_epochs":{}}}"#,
            ),
            batch_size,
            self.data.json(data),
            self.encoder.json(encoder),
            epochs,
            self.loss.json(loss),
            self.optimizer.json(optimizer),
            match precision {
                // Left out of the JSON, as the spec leaves it out.
                Precision::Fp32 => "",
                Precision::Tf32 => r#""precision":"tf32","#,
                Precision::Bf16 => r#""precision":"bf16","#,
            },
            self.predictor.json(predictor),
            self.projector.json(projector),
            seed,
            self.semantics.json(semantics),
            self.target.json(target),
            update_batch_size,
            self.views.json(views),
            self.warmup_epochs.json(warmup_epochs),
        );
        debug_assert!(written.is_ok(), "a String takes any text");
        &self.json
    }
}
