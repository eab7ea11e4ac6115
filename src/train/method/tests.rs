use super::*;
use crate::spec::run::{
    Crop, DataSpec, EncoderSpec, HeadSpec, Normalization, NtXentScale, OptimizerSpec, OutputNorm,
    SEMANTICS, Source, ViewRecipe, Views,
};
use crate::train::optim::{HeadRates, Optimizer};

const AVERAGE: Target = Target::Average { tau_base: 0.9, schedule: TauSchedule::Cosine };
const COPY: Target = Target::Average { tau_base: 0.0, schedule: TauSchedule::Constant };
const NT_XENT: Loss = Loss::NtXent { temperature: 0.1, scale: NtXentScale::MeanOverViews };

fn head_spec(hidden: u32, out: u32) -> HeadSpec {
    HeadSpec { hidden: vec![hidden], out, output_norm: OutputNorm::None, lr_multiplier: 1.0 }
}

fn spec(predictor: Option<HeadSpec>, target: Target, loss: Loss) -> RunSpec {
    let crop = Crop { min_area: 0.08, max_area: 1.0, min_aspect: 0.75, max_aspect: 4.0 / 3.0 };
    let recipe = ViewRecipe { crop: Some(crop), ..ViewRecipe::default() };
    RunSpec {
        semantics: SEMANTICS,
        seed: 3,
        data: DataSpec {
            source: Source::Shapes { train: 64, test: 16, side: 8, seed: 0 },
            subset: None,
            image_size: 8,
            mean: [0.5; 3],
            std: [0.25; 3],
        }
        .into(),
        views: Views { t: recipe.clone(), t_prime: recipe }.into(),
        encoder: EncoderSpec::Convnet { width: 0.125 },
        projector: head_spec(16, 8),
        predictor: predictor.map(Predictor::Head),
        target,
        loss,
        optimizer: OptimizerSpec::Lars {
            base_lr: 0.3,
            momentum: 0.9,
            weight_decay: 1e-6,
            trust_coefficient: 1e-3,
        },
        epochs: 1,
        warmup_epochs: 0.0,
        update_batch_size: 8,
        batch_size: 8,
        precision: Precision::Fp32,
    }
}

fn model(predictor: Option<HeadSpec>, target: Target, loss: Loss) -> Model {
    Model::new(&spec(predictor, target, loss), Device::Cpu, Kind::Float).unwrap()
}

fn byol() -> Model {
    model(Some(head_spec(16, 8)), AVERAGE, Loss::Regression { normalization: Normalization::L2 })
}

fn views() -> (Tensor, Tensor) {
    let view = || Tensor::randn([8, 3, 8, 8], (Kind::Float, Device::Cpu));
    (view(), view())
}

fn target(model: &Model) -> &ParamSet {
    match &model.branch {
        Branch::Average(params) => params,
        Branch::StopGradient | Branch::Online => panic!("no target network"),
    }
}

fn gradient(model: &Model, name: &str) -> Tensor {
    model.online.named(name).unwrap().grad()
}

#[test]
fn the_target_starts_equal_without_predictor_and_gets_no_gradient() {
    let model = byol();
    let names: Vec<String> = target(&model).trainable().into_iter().map(|p| p.name).collect();
    assert!(names.iter().all(|name| !name.starts_with("predictor")));
    for p in target(&model).trainable() {
        assert!(p.tensor.equal(model.online.named(&p.name).unwrap()), "{}", p.name);
    }

    let (one, two) = views();
    model.loss(&one, &two).backward();
    assert!(target(&model).trainable().iter().all(|p| !p.tensor.grad().defined()));
    for p in model.online.trainable() {
        assert!(p.tensor.grad().defined(), "{} got no gradient", p.name);
    }
}

#[test]
fn each_view_is_a_batch_of_its_own_in_both_networks() {
    let model = byol();
    let (one, two) = views();
    let _ = model.loss(&one, &two);
    for set in [&model.online, target(&model)] {
        for name in ["encoder.num_batches_tracked", "projector.num_batches_tracked"] {
            assert_eq!(set.named(name).unwrap().int64_value(&[]), 2, "{name}");
        }
    }
    // A view's projection does not depend on the other view.
    let alone = byol().forward(&one, &one).projections.first;
    assert!(alone.allclose(&model.forward(&one, &two).projections.first, 1e-5, 1e-6, false));
}

#[test]
fn the_target_follows_by_tau_and_keeps_its_statistics() {
    let mut model = byol();
    let name = "encoder.conv1.weight";
    let (one, two) = views();
    model.loss(&one, &two).backward();
    Optimizer::new(
        &OptimizerSpec::Sgd { base_lr: 1.0, momentum: 0.9, weight_decay: 0.0 },
        model.online(),
        HeadRates::EQUAL,
    )
    .step(1.0);
    let _ = model.represent(&one, Mode::Train);
    let old = target(&model).named(name).unwrap().copy();
    let statistics = target(&model).named("encoder.bn1.running_mean").unwrap().copy();
    let new = model.online.named(name).unwrap().detach().copy();
    assert!(!new.equal(&old));

    model.update_target(1.0);
    assert!(target(&model).named(name).unwrap().equal(&old), "tau = 1 never moves");
    model.update_target(0.9);
    let expected = &old * 0.9 + &new * 0.1;
    assert!(target(&model).named(name).unwrap().allclose(&expected, 1e-5, 1e-7, false));
    model.update_target(0.0);
    assert!(target(&model).named(name).unwrap().equal(&new), "tau = 0 is a copy");
    assert!(target(&model).named("encoder.bn1.running_mean").unwrap().equal(&statistics));
    assert!(!model.online.named("encoder.bn1.running_mean").unwrap().equal(&statistics));
}

#[test]
fn a_copied_target_is_the_online_network_without_gradient() {
    let (one, two) = views();
    let copied =
        model(Some(head_spec(16, 8)), COPY, Loss::Regression { normalization: Normalization::L2 });
    let averaged = byol();
    let (first, second) = (copied.loss(&one, &two), averaged.loss(&one, &two));
    assert!(first.allclose(&second, 1e-5, 1e-6, false), "equal at the start");
    first.backward();
    second.backward();
    let name = "projector.3.weight";
    assert!(gradient(&copied, name).allclose(&gradient(&averaged, name), 1e-4, 1e-6, false));
    assert!(copied.state().iter().all(|(name, _)| name.starts_with("online.")));
}

#[test]
fn an_online_target_lets_the_gradient_through() {
    let (one, two) = views();
    let through = model(
        Some(head_spec(16, 8)),
        Target::Online,
        Loss::Regression { normalization: Normalization::L2 },
    );
    let stopped =
        model(Some(head_spec(16, 8)), COPY, Loss::Regression { normalization: Normalization::L2 });
    through.loss(&one, &two).backward();
    stopped.loss(&one, &two).backward();
    let name = "projector.3.weight";
    assert!(!gradient(&through, name).allclose(&gradient(&stopped, name), 1e-3, 1e-6, false));
    let name = "predictor.3.weight";
    assert!(gradient(&through, name).allclose(&gradient(&stopped, name), 1e-3, 1e-6, false));
}

#[test]
fn simclr_is_nt_xent_of_the_projections() {
    let (one, two) = views();
    let model = model(None, Target::Online, NT_XENT);
    let forward = model.forward(&one, &two);
    let expected =
        loss::nt_xent(&forward.projections, &forward.projections, 0.1, NtXentScale::MeanOverViews);
    assert!(forward.loss.allclose(&expected, 1e-5, 1e-6, false));
    forward.loss.backward();
    assert!(model.online.trainable().iter().all(|p| p.tensor.grad().defined()));
}

#[test]
fn evaluation_keeps_statistics_and_gradients_out() {
    let model = byol();
    let (one, two) = views();
    let _ = model.loss(&one, &two);
    let before = model.online.named("encoder.bn4.running_var").unwrap().copy();
    let y = model.represent(&one, Mode::Eval);
    assert_eq!(y.size(), [8, model.encoder().out()]);
    assert!(!y.requires_grad());
    assert!(model.online.named("encoder.bn4.running_var").unwrap().equal(&before));
}

#[test]
fn a_reloaded_model_computes_the_same() {
    let first = byol();
    let (one, two) = views();
    let _ = first.loss(&one, &two);
    let mut other = spec(
        Some(head_spec(16, 8)),
        AVERAGE,
        Loss::Regression { normalization: Normalization::L2 },
    );
    other.seed = 4;
    let mut second = Model::new(&other, Device::Cpu, Kind::Float).unwrap();
    assert!(!second.loss(&one, &two).equal(&first.loss(&one, &two)));
    second.load_state(&first.state()).unwrap();
    assert!(second.loss(&one, &two).equal(&first.loss(&one, &two)));
    assert!(second.represent(&one, Mode::Eval).equal(&first.represent(&one, Mode::Eval)));
}

#[test]
fn too_small_views_are_refused() {
    let mut small = spec(None, Target::Online, NT_XENT);
    std::sync::Arc::make_mut(&mut small.data).image_size = 7;
    let error = Model::new(&small, Device::Cpu, Kind::Float).unwrap_err();
    assert_eq!(error, NetError::ImageTooSmall { side: 7, smallest: 8 });
}

#[test]
fn predictions_must_have_the_size_of_projections() {
    let unequal = spec(
        Some(head_spec(16, 9)),
        AVERAGE,
        Loss::Regression { normalization: Normalization::L2 },
    );
    let error = Model::new(&unequal, Device::Cpu, Kind::Float).unwrap_err();
    assert_eq!(error, NetError::PredictorSize { predictor: 9, projector: 8 });
}

#[test]
fn bf16_is_near_float32_and_moves_float32_weights() {
    let (one, two) = views();
    let (full, mut half) = (byol(), byol());
    half.precision = Precision::Bf16;
    let (exact, rounded) = (full.forward(&one, &two), half.forward(&one, &two));
    assert_eq!(rounded.projections.first.kind(), Kind::BFloat16, "the networks ran in bfloat16");
    assert_eq!(rounded.loss.kind(), Kind::Float);
    assert!(!rounded.loss.equal(&exact.loss));
    assert!(rounded.loss.allclose(&exact.loss, 0.05, 0.05, false));
    rounded.loss.backward();
    exact.loss.backward();
    for p in half.online.trainable() {
        assert_eq!(p.tensor.grad().kind(), Kind::Float, "{}", p.name);
    }
    let (found, expected) =
        (gradient(&half, "projector.3.weight"), gradient(&full, "projector.3.weight"));
    let alike = (&found * &expected).sum(Kind::Float) / (found.norm() * expected.norm());
    assert!(alike.double_value(&[]) > 0.9, "{alike}");
    // The switch is off again.
    assert_eq!(full.forward(&one, &two).projections.first.kind(), Kind::Float);
}

#[test]
fn notes_name_the_variants() {
    let notes = describe(&spec(None, Target::Online, NT_XENT)).join("\n");
    for needle in ["LARS: official variant", "mean over 2N views", "with gradient"] {
        assert!(notes.contains(needle), "{notes}");
    }
}
