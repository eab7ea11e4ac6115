//! Training arithmetic against vectors that are not ours.
//!
//! `fixtures/golden.json` holds small inputs and float64 results computed from the published
//! formulas (written out in the file) and cross-checked against independent implementations.
#![cfg(feature = "torch")]
#![expect(clippy::unwrap_used, reason = "an unreadable fixture is a failed test")]

use byol_sweep::spec::run::{
    HeadSpec, Loss, Normalization, NtXentScale, OptimizerSpec, OutputNorm, Target, TauSchedule,
};
use byol_sweep::spec::schedule;
use byol_sweep::train::method::loss::{self, Pair};
use byol_sweep::train::method::{Architecture, Model, Prediction};
use byol_sweep::train::net::{
    Activation, Declarations, Fill, Network, ParamSet, Role, Sequential, head,
};
use byol_sweep::train::optim::{HeadRates, Optimizer};
use serde_json::{Map, Value};
use tch::{Device, Kind, Tensor};

/// Numbers to compute in, with the largest difference from the exact result, relative to the largest
/// entry where that is above 1. float32 has seven digits; a cosine over a temperature of 0.1 and a
/// few updates cost one or two of them.
#[derive(Clone, Copy)]
struct In {
    kind: Kind,
    tolerance: f64,
}

const DOUBLE: In = In { kind: Kind::Double, tolerance: 1e-9 };
const FLOAT: In = In { kind: Kind::Float, tolerance: 1e-5 };

fn golden(key: &str) -> Value {
    let text = include_str!("../fixtures/golden.json");
    serde_json::from_str::<Value>(text).unwrap()[key].take()
}

fn cases(key: &str) -> Vec<Value> {
    golden(key)["cases"].as_array().unwrap().clone()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn whole(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

/// Nested lists of numbers as a tensor.
fn tensor(value: &Value) -> Tensor {
    fn walk(value: &Value, depth: usize, shape: &mut Vec<i64>, flat: &mut Vec<f64>) {
        match value {
            Value::Array(items) => {
                if shape.len() == depth {
                    shape.push(i64::try_from(items.len()).unwrap());
                }
                items.iter().for_each(|item| walk(item, depth + 1, shape, flat));
            }
            scalar => flat.push(number(scalar)),
        }
    }
    let (mut shape, mut flat) = (Vec::new(), Vec::new());
    walk(value, 0, &mut shape, &mut flat);
    Tensor::from_slice(&flat).view(shape.as_slice())
}

fn leaf(value: &Value, numbers: In) -> Tensor {
    tensor(value).to_kind(numbers.kind).set_requires_grad(true)
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap()
}

#[track_caller]
fn assert_number(found: f64, expected: f64, numbers: In, what: &str) {
    let tolerance = numbers.tolerance * expected.abs().max(1.0);
    assert!((found - expected).abs() <= tolerance, "{what}: {found} instead of {expected}");
}

#[track_caller]
fn assert_tensor(found: &Tensor, expected: &Value, numbers: In, what: &str) {
    let expected = tensor(expected);
    assert_eq!(found.size(), expected.size(), "{what}");
    let off = (found.to_kind(Kind::Double) - &expected).abs().max().double_value(&[]);
    let largest = expected.abs().max().double_value(&[]).max(1.0);
    assert!(off <= numbers.tolerance * largest, "{what}: off by {off}");
}

fn pair(first: &Tensor, second: &Tensor) -> Pair {
    Pair { first: first.shallow_clone(), second: second.shallow_clone() }
}

/// The cases with a note are there for the value alone.
fn has_gradients(case: &Value) -> bool {
    case.get("note").is_none()
}

fn in_both<T: Clone>(all: impl Iterator<Item = T> + Clone) -> impl Iterator<Item = (In, T)> {
    [DOUBLE, FLOAT].into_iter().flat_map(move |numbers| all.clone().map(move |one| (numbers, one)))
}

#[test]
fn byol_loss_and_its_gradients() {
    for (numbers, (n, case)) in in_both(cases("byol_loss").iter().enumerate()) {
        let (p1, p2) = (leaf(&case["p1"], numbers), leaf(&case["p2"], numbers));
        let [z1, z2] = ["z1", "z2"].map(|name| tensor(&case[name]).to_kind(numbers.kind));
        let targets = pair(&z1, &z2);
        let loss = loss::regression(&pair(&p1, &p2), &targets, Normalization::L2);
        loss.backward();
        assert_number(loss.double_value(&[]), number(&case["loss"]), numbers, &format!("loss {n}"));
        if has_gradients(case) {
            assert_tensor(&p1.grad(), &case["grad_p1"], numbers, &format!("p1 {n}"));
            assert_tensor(&p2.grad(), &case["grad_p2"], numbers, &format!("p2 {n}"));
        }
    }
}

#[test]
fn nt_xent_and_its_gradients_at_every_scale() {
    for (numbers, (n, case)) in in_both(cases("nt_xent").iter().enumerate()) {
        let temperature = number(&case["temperature"]);
        let of_scale = |scale| {
            let (z1, z2) = (leaf(&case["z1"], numbers), leaf(&case["z2"], numbers));
            let loss = loss::nt_xent(&pair(&z1, &z2), &pair(&z1, &z2), temperature, scale);
            loss.backward();
            (loss.double_value(&[]), z1.grad(), z2.grad())
        };
        let (mean, grad_z1, grad_z2) = of_scale(NtXentScale::MeanOverViews);
        assert_number(mean, number(&case["loss"]), numbers, &format!("loss {n}"));
        if has_gradients(case) {
            assert_tensor(&grad_z1, &case["grad_z1"], numbers, &format!("z1 {n}"));
            assert_tensor(&grad_z2, &case["grad_z2"], numbers, &format!("z2 {n}"));
        }

        let (sum, ..) = of_scale(NtXentScale::SumOfDirections);
        assert_number(sum, 2.0 * number(&case["loss"]), numbers, &format!("sum {n}"));
        let (z1, z2) = (leaf(&case["z1"], numbers), leaf(&case["z2"], numbers));
        let info_nce = loss::info_nce(&pair(&z1, &z2), &pair(&z1, &z2), 1.0, temperature);
        info_nce.backward();
        let (info_nce, grad) = (info_nce.double_value(&[]), z1.grad());
        assert_number(info_nce, 4.0 * temperature * mean, numbers, &format!("InfoNCE {n}"));
        let off = (grad - grad_z1 * 4.0 * temperature).abs().max().double_value(&[]);
        assert!(off <= numbers.tolerance, "InfoNCE {n}: {off}");
    }
}

#[test]
fn tau_at_every_step() {
    for case in golden("ema")["schedule"].as_array().unwrap() {
        let (base, updates) = (number(&case["tau_base"]), whole(&case["total_steps"]));
        let steps = case["k"].as_array().unwrap().iter().map(whole);
        for (k, expected) in steps.zip(numbers(&case["tau"])) {
            let found = schedule::tau(k, updates, base, TauSchedule::Cosine);
            assert_number(found, expected, DOUBLE, &format!("tau {k} of {updates} from {base}"));
        }
    }
}

/// A set of one weight.
fn single(value: &Value) -> ParamSet {
    let value = tensor(value);
    let mut declarations = Declarations::default();
    declarations.scope("p").tensor("w", &value.size(), Role::Weight, Fill::Zeros);
    let params = ParamSet::drawn(&declarations, 0, Device::Cpu, Kind::Double);
    tch::no_grad(|| params.named("p.w").unwrap().shallow_clone().copy_(&value));
    params
}

#[test]
fn the_target_moves_after_the_step() {
    let update = golden("ema")["update"].take();
    let (base, updates) = (number(&update["tau_base"]), whole(&update["total_steps"]));
    let target = single(&update["xi0"]).frozen_copy(1);
    for step in update["steps"].as_array().unwrap() {
        let tau = schedule::tau(whole(&step["k"]), updates, base, TauSchedule::Cosine);
        assert_number(tau, number(&step["tau"]), DOUBLE, "tau");
        target.average_with(&single(&step["theta"]), tau);
        assert_tensor(target.named("p.w").unwrap(), &step["xi_after"], DOUBLE, "xi");
    }
}

#[test]
fn learning_rate_at_every_step() {
    for case in cases("lr_schedule") {
        let batch = u32::try_from(whole(&case["batch"])).unwrap();
        let peak = number(&case["peak"]);
        if case["scaling"] == "linear" {
            let optimizer = OptimizerSpec::Sgd {
                base_lr: number(&case["base_lr"]),
                momentum: 0.9,
                weight_decay: 0.0,
            };
            let found = schedule::peak_learning_rate(&optimizer, batch);
            assert_number(found, peak, DOUBLE, "peak");
        }
        let (updates, warmup) = (whole(&case["total_steps"]), whole(&case["warmup_steps"]));
        for (k, expected) in (0..).zip(numbers(&case["lr"])) {
            let found = schedule::learning_rate(k, updates, warmup, peak);
            assert_number(found, expected, DOUBLE, &format!("lr {k} of {updates}"));
        }
    }
}

fn lars(case: &Value) -> OptimizerSpec {
    OptimizerSpec::Lars {
        base_lr: 1.0,
        momentum: number(&case["momentum"]),
        weight_decay: number(&case["weight_decay"]),
        trust_coefficient: number(&case["trust_coefficient"]),
    }
}

/// Parameters with given values; those named in `excluded` are biases.
fn parameters(values: &Map<String, Value>, excluded: &[&str], numbers: In) -> ParamSet {
    let mut declarations = Declarations::default();
    let mut scope = declarations.scope("p");
    for (name, value) in values {
        let role = if excluded.contains(&name.as_str()) { Role::Bias } else { Role::Weight };
        scope.tensor(name, &tensor(value).size(), role, Fill::Zeros);
    }
    let params = ParamSet::drawn(&declarations, 0, Device::Cpu, numbers.kind);
    for (name, value) in values {
        let mut place = params.named(&format!("p.{name}")).unwrap().shallow_clone();
        tch::no_grad(|| place.copy_(&tensor(value)));
    }
    params
}

#[test]
fn lars_step_by_step() {
    let all = golden("lars");
    let excluded: Vec<&str> =
        all["excluded"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let rates = numbers(&all["lr_per_step"]);
    for (numbers, case) in in_both(all["cases"].as_array().unwrap().iter()) {
        assert_eq!(case["variant"], "official");
        let params = parameters(object(&all["params0"]), &excluded, numbers);
        let mut optimizer = Optimizer::new(&lars(case), &params, HeadRates::EQUAL);
        let steps = case["steps"].as_array().unwrap();
        for ((step, gradients), lr) in
            steps.iter().zip(all["grads"].as_array().unwrap()).zip(&rates)
        {
            optimizer.zero_grad();
            for (name, gradient) in object(gradients) {
                let parameter = params.named(&format!("p.{name}")).unwrap();
                (parameter * tensor(gradient).to_kind(numbers.kind)).sum(numbers.kind).backward();
            }
            optimizer.step(*lr);
            let momenta = optimizer.state();
            for (name, expected) in object(&step["params"]) {
                let name = format!("p.{name}");
                assert_tensor(params.named(&name).unwrap(), expected, numbers, &name);
                let (_, momentum) = momenta.iter().find(|(n, _)| *n == name).unwrap();
                let expected = &step["momentum"][name.trim_start_matches("p.")];
                assert_tensor(momentum, expected, numbers, &format!("momentum of {name}"));
            }
        }
    }
}

/// Encoder Linear-BN-ReLU and two heads, as the golden run has them.
fn small_architecture() -> Architecture {
    let mut declarations = Declarations::default();
    let encoder = Network::new(declarations.scope("encoder"), |scope| {
        let layers =
            vec![scope.linear_without_bias("0", 6, 5), scope.batch_norm("1", 5, Activation::Relu)];
        Sequential::new(layers, 5)
    });
    let spec =
        HeadSpec { hidden: vec![8], out: 4, output_norm: OutputNorm::None, lr_multiplier: 1.0 };
    let projector = head(&spec, 5, declarations.scope("projector"));
    let shared_with_target = declarations.all().len();
    let predictor = Prediction::Head(head(&spec, 4, declarations.scope("predictor")));
    Architecture { declarations, encoder, projector, predictor, shared_with_target }
}

/// Sets both networks to the golden initial weights.
fn initialise(model: &mut Model, init: &Map<String, Value>) {
    let mut state = model.state();
    let mut set = 0;
    for (name, place) in &mut state {
        let short = name.trim_start_matches("online.").trim_start_matches("target.");
        if let Some(value) = init.get(short) {
            *place = tensor(value);
            set += 1;
        }
    }
    let in_target = init.keys().filter(|name| !name.starts_with("predictor")).count();
    assert_eq!(set, init.len() + in_target);
    model.load_state(&state).unwrap();
}

#[test]
fn a_whole_small_byol_run() {
    for numbers in [DOUBLE, FLOAT] {
        byol_run(numbers);
    }
}

fn byol_run(numbers: In) {
    let run = golden("byol_run");
    let (updates, warmup) = (whole(&run["total_steps"]), whole(&run["warmup_steps"]));
    let (peak, tau_base) = (number(&run["peak_lr"]), number(&run["tau_base"]));
    let architecture = small_architecture();
    let online = ParamSet::drawn(&architecture.declarations, 0, Device::Cpu, numbers.kind);
    let target = Target::Average { tau_base, schedule: TauSchedule::Cosine };
    let mut model = Model::assemble(
        architecture,
        online,
        target,
        Loss::Regression { normalization: Normalization::L2 },
    );
    initialise(&mut model, object(&run["init"]));
    let mut optimizer = Optimizer::new(&lars(&run), model.online(), HeadRates::EQUAL);

    for step in run["steps"].as_array().unwrap() {
        let k = whole(&step["k"]);
        optimizer.zero_grad();
        let [view1, view2] =
            ["view1", "view2"].map(|name| tensor(&step[name]).to_kind(numbers.kind));
        let loss = model.loss(&view1, &view2);
        loss.backward();
        assert_number(loss.double_value(&[]), number(&step["loss"]), numbers, &format!("loss {k}"));
        for (name, expected) in object(&step["grad_norm"]) {
            let norm = model.online().named(name).unwrap().grad().norm().double_value(&[]);
            assert_number(norm, number(expected), numbers, &format!("gradient of {name} in {k}"));
        }
        let lr = schedule::learning_rate(k, updates, warmup, peak);
        let tau = schedule::tau(k, updates, tau_base, TauSchedule::Cosine);
        assert_number(lr, number(&step["lr"]), DOUBLE, "lr");
        assert_number(tau, number(&step["tau"]), DOUBLE, "tau");
        optimizer.step(lr);
        model.update_target(tau);
    }

    let state = model.state();
    for (network, key) in [("online", "online_after"), ("target", "target_after")] {
        for (name, expected) in object(&run[key]) {
            let name = format!("{network}.{name}");
            let (_, found) = state.iter().find(|(n, _)| *n == name).unwrap();
            assert_tensor(found, expected, numbers, &name);
        }
    }
}
