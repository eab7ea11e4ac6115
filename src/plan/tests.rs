//! Plans of small files, with counts done by hand.

use std::path::Path;

use super::*;
use crate::spec::{Fault, parse};

fn planned(text: &str) -> Result<Plan, PlanError> {
    planned_with(text, &[])
}

fn planned_with(text: &str, set: &[(&str, &str)]) -> Result<Plan, PlanError> {
    let overrides: Vec<_> =
        set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let unknown = |_: &Path| None;
    let request = Request { overrides: &overrides, digests: &unknown, limit: Limit::Million };
    expand(&parse("sweep.toml", text)?, &request)
}

fn file(rest: &str) -> String {
    format!("schema = 1\nname = \"t\"\n{rest}")
}

const BASE: &str = "[base]\ndata.name = \"shapes\"\nbatch_size = 64\nupdate_batch_size = 256\n";

fn plan(rest: &str) -> Plan {
    planned(&file(&format!("{BASE}{rest}"))).unwrap_or_else(|error| panic!("{error}"))
}

fn counts(plan: &Plan) -> Vec<(&str, u64)> {
    plan.steps.iter().map(|step| (step.rule.as_str(), step.cells)).collect()
}

fn labels(plan: &Plan) -> Vec<String> {
    plan.trials.iter().map(PlannedTrial::label_text).collect()
}

fn message(rest: &str) -> String {
    planned(&file(&format!("{BASE}{rest}"))).expect_err("must be refused").to_string()
}

#[test]
fn a_base_alone_is_one_trial() {
    let plan = plan("");
    assert_eq!(counts(&plan), [("base", 1), ("1 seed", 1)]);
    assert_eq!(labels(&plan), ["base"]);
    assert!(plan.varies().is_empty());
}

#[test]
fn rules_compose_in_the_order_of_the_contract() {
    let plan = plan(
        r#"
        [[grid]]
        method = ["byol", "simclr"]
        epochs = [10, 20, 30]
        [[grid]]
        method = "byol"
        epochs = 40
        [[zip]]
        optimizer.base_lr = [0.1, 0.2]
        optimizer.weight_decay = [1e-6, 1e-5]
        [[when]]
        match = { method = "byol" }
        grid = { tau_base = [0.9, 0.99, 1] }
        [[exclude]]
        match = { method = "simclr", epochs = [10, 20] }
        [[include]]
        epochs = 1
        [[arm]]
        name = "crop only"
        published = "Crop only"
        augment.only = ["crop"]
        [replicates]
        seeds = [3, 1]
        "#,
    );
    // 2 x 3 + 1 = 7; x 2 = 14, of which 8 are BYOL: 8 x 3 + 6 = 30; less 2 epochs x 2 rows = 26;
    // x 2 arms = 52; + 1 = 53; x 2 seeds = 106.
    assert_eq!(
        counts(&plan),
        [
            ("grid 1: 2 method x 3 epochs", 6),
            ("grid 2: 1 method x 1 epochs", 7),
            ("zip 1: 2 optimizer.base_lr + optimizer.weight_decay", 14),
            ("when 1: 3 tau_base in 8 cells", 30),
            ("exclude 1: 4 cells less", 26),
            ("arms: baseline + 1", 52),
            ("include: 1 more", 53),
            ("2 seeds", 106),
        ]
    );
    assert_eq!(
        plan.axes,
        ["method", "epochs", "optimizer.base_lr", "optimizer.weight_decay", "tau_base"]
    );
    let first = &plan.trials[0];
    assert_eq!(first.labels[0].arm.as_deref(), Some("baseline"));
    let arm = &plan.trials[1].labels[0];
    assert_eq!(arm.published.as_deref(), Some("Crop only"));
    assert_eq!(
        arm.text(),
        "crop only (method=byol epochs=10 tau_base=0.9 optimizer.base_lr=0.1 optimizer.weight_decay=1e-6)"
    );
}

#[test]
fn the_order_is_breadth_first_over_seeds() {
    let plan = plan("[grid]\nmethod = [\"byol\", \"simclr\"]\n[replicates]\nseeds = [5, 0]\n");
    let order: Vec<_> = plan
        .trials
        .iter()
        .map(|trial| (trial.ordinal, trial.run.seed, trial.label_text()))
        .collect();
    assert_eq!(
        order,
        [
            (1, 5, "method=byol".into()),
            (2, 5, "method=simclr".into()),
            (3, 0, "method=byol".into()),
            (4, 0, "method=simclr".into()),
        ]
    );
    assert_eq!(plan.trials[0].group_key, plan.trials[2].group_key);
}

#[test]
fn keys_are_those_of_the_run_spec() {
    let plan = plan(
        "[[grid]]\ndata.train_limit = [1000, 2000]\nmethod = [\"simclr\", \"byol\"]\n[[grid]]\nwarmup_epochs = [0, 0.5]\noptimizer.name = [\"sgd\", \"lars\"]\n[replicates]\nseeds = [0, 7]\n",
    );
    assert_eq!(plan.trials.len(), 16);
    for trial in &plan.trials {
        assert_eq!(trial.train_key, trial.run.train_key());
        assert_eq!(trial.group_key, trial.run.group_key());
    }
}

#[test]
fn equal_cells_are_merged_and_keep_both_labels() {
    let plan = plan("[[grid]]\nepochs = [300, 10]\n[[grid]]\nmethod = [\"byol\", \"simclr\"]\n");
    // epochs = 300 is the default, so that the first cell and `method = byol` are one.
    assert_eq!(plan.trials.len(), 3);
    assert_eq!(counts(&plan)[2], ("merge: 1 equal cell", 3));
    let texts: Vec<_> = plan.trials[0].labels.iter().map(Label::text).collect();
    assert_eq!(texts, ["epochs=300", "method=byol"]);
}

#[test]
fn settings_that_cannot_act_are_dropped_from_base() {
    let simclr =
        |rest: &str| plan(&format!("method = \"simclr\"\n{rest}")).trials[0].train_key.clone();
    assert_eq!(
        simclr(""),
        simclr("tau_base = 0.5\npredictor.hidden = 7\nencoder.stem = \"small\"\n")
    );
    assert_ne!(simclr(""), simclr("temperature = 0.5\n"));
}

#[test]
fn equal_numbers_are_equal_trials() {
    let key = |rest: &str| plan(rest).trials[0].train_key.clone();
    assert_eq!(key("tau_base = 1\n"), key("tau_base = 1.0\n"));
    assert_eq!(key("optimizer.weight_decay = -0.0\n"), key("optimizer.weight_decay = 0\n"));
    assert_eq!(key("epochs = 10.0\n"), key("epochs = 10\n"));
    assert_eq!(key("[grid]\ntau_base = { linspace = [0.1, 0.3, 3] }\n"), key("tau_base = 0.1\n"));
    let third =
        plan("[grid]\ntau_base = { linspace = [0.1, 0.3, 3] }\n").trials[2].train_key.clone();
    assert_eq!(third, key("tau_base = 0.3\n"));
    assert_eq!(
        key("augment.remove = [\"flip\", \"blur\"]\n"),
        key("augment.remove = [\"blur\", \"flip\"]\n")
    );
    assert_eq!(key("augment.flip.p = 0\n"), key("augment.remove = [\"flip\"]\n"));
}

#[test]
fn computed_axes_hit_their_ends() {
    let values = |rule: &str, key: &str| -> Vec<String> {
        labels(&plan(&format!("[grid]\n{key} = {rule}\n")))
    };
    assert_eq!(
        values("{ range = [32, 256], step = \"*2\" }", "batch_size"),
        ["batch_size=32", "batch_size=64", "batch_size=128", "batch_size=256"]
    );
    assert_eq!(values("{ range = [0.7, 1.0], step = 0.1 }", "tau_base").len(), 4);
    assert_eq!(values("{ range = [1.0, 0.7], step = -0.1 }", "tau_base").len(), 4);
    assert_eq!(
        values("{ logspace = [1e-4, 1e-1, 4] }", "optimizer.base_lr"),
        [
            "optimizer.base_lr=0.0001",
            "optimizer.base_lr=0.001",
            "optimizer.base_lr=0.01",
            "optimizer.base_lr=0.1"
        ]
    );
}

#[test]
fn later_rules_win() {
    let plan = planned_with(
        &file(&format!(
            "{BASE}tau_base = 0.5\n[grid]\ntau_base = [0.6, 0.7]\n[[arm]]\nname = \"a\"\ntau_base = 0.8\n[[include]]\ntau_base = 0.9\n"
        )),
        &[],
    )
    .unwrap();
    assert_eq!(
        labels(&plan),
        ["baseline (tau_base=0.6)", "a (tau_base=0.8)", "baseline (tau_base=0.7)", "tau_base=0.9"]
    );
    let text = file(&format!(
        "{BASE}[grid]\nmethod = [\"byol\", \"simclr\"]\n[[when]]\nmatch = {{ method = \"simclr\" }}\ngrid = {{ temperature = [0.1, 0.5] }}\n"
    ));
    let forced = planned_with(&text, &[("method", "simclr"), ("epochs", "2")]).unwrap();
    assert_eq!(labels(&forced), ["method=simclr temperature=0.1", "method=simclr temperature=0.5"]);
    assert_eq!(forced.trials[0].run.epochs, 2);
}

#[test]
fn set_reaches_the_other_tables() {
    let text = file(BASE);
    let set = [("replicates.seeds", "[0, 1, 2]"), ("eval.knn.k", "20"), ("retry.max", "0")];
    let plan = planned_with(&text, &set).unwrap();
    assert_eq!(plan.trials.len(), 3);
    assert_eq!((plan.eval.knn.k, plan.meta.max_retries), (20, 0));
    assert_ne!(plan.eval_key, planned(&text).unwrap().eval_key);
}

#[test]
fn defaults_are_the_papers() {
    let plan =
        planned(&file("[base]\ndata.name = \"image_folder\"\ndata.path = \"images\"\n")).unwrap();
    let run = serde_json::to_value(&plan.trials[0].run).unwrap();
    let head = serde_json::json!({ "hidden": [4096], "out": 256, "output_norm": "none" });
    let expected = serde_json::json!({
        "encoder": { "name": "resnet", "depth": 50, "width": 1, "stem": "imagenet" },
        "projector": head,
        "predictor": head,
        "target": { "kind": "average", "tau_base": 0.99, "schedule": "cosine" },
        "loss": { "kind": "regression" },
        "optimizer": {
            "name": "lars", "base_lr": 0.3, "momentum": 0.9, "weight_decay": 1e-6,
            "trust_coefficient": 1e-3,
        },
        "epochs": 300,
        "warmup_epochs": 10.0,
        "update_batch_size": 4096,
        "batch_size": 4096,
    });
    for (part, value) in expected.as_object().unwrap() {
        assert_eq!(run[part], *value, "{part}");
    }
    assert_eq!((run["data"]["image_size"].as_u64(), run["seed"].as_u64()), (Some(224), Some(0)));
    let short = planned(&file(&format!("{BASE}epochs = 20\nmethod = \"simclr\"\n"))).unwrap();
    let run = &short.trials[0].run;
    assert_eq!((run.warmup_epochs, run.projector.out, &run.predictor), (2.0, 128, &None));
}

#[test]
fn the_knobs_of_the_family_reach_every_corner() {
    use crate::spec::run::{
        Loss, Normalization, NtXentScale, OptimalPredictor, OutputNorm, Predictor, Target,
        TauSchedule,
    };
    let run = |rest: &str| plan(rest).trials[0].run.clone();
    let byol = run("");
    let copy = Target::Average { tau_base: 0.0, schedule: TauSchedule::Constant };
    assert_eq!(run("target = \"stop_gradient\"").target, copy);
    assert_eq!(run("tau_base = 0").target, copy);
    assert_eq!(run("target = \"online\"").target, Target::Online);
    assert_eq!(run("predictor.kind = \"none\"").predictor, None);
    let optimal = Some(Predictor::Optimal(OptimalPredictor::OptimalLinear));
    assert_eq!(run("predictor.kind = \"optimal_linear\"\nprojector.out = 16").predictor, optimal);

    let regression = |normalization| Loss::Regression { normalization };
    assert_eq!(run("loss_normalization = \"layer\"").loss, regression(Normalization::Layer));
    assert_eq!(run("beta = 0.5").loss, Loss::InfoNce { beta: 0.5, temperature: 0.1 });
    assert_eq!(
        run("beta = 1\ntemperature = 3").loss,
        Loss::NtXent { temperature: 3.0, scale: NtXentScale::InfoNce }
    );

    let simclr = run("method = \"simclr\"");
    let nt_xent = |scale| Loss::NtXent { temperature: 0.1, scale };
    assert_eq!(simclr.loss, nt_xent(NtXentScale::MeanOverViews));
    assert_eq!(simclr.projector.output_norm, OutputNorm::BatchNorm);
    let named =
        run("method = \"simclr\"\nloss_scale = \"info_nce\"\nprojector.output_norm = \"none\"");
    let knobs = run("predictor.kind = \"none\"\ntarget = \"online\"\nbeta = 1");
    assert_eq!(named, knobs, "the method's name is no part of a trial");
    assert_eq!(run("predictor.kind = \"mlp\"\nbeta = 0\ntarget = \"average\""), byol);

    let hidden = |rest: &str| match run(rest).predictor {
        Some(Predictor::Head(head)) => head.hidden,
        Some(Predictor::Optimal(_)) | None => panic!("no head"),
    };
    assert_eq!(hidden("predictor.depth = 1"), [0; 0]);
    assert_eq!(hidden("predictor.depth = 3\npredictor.hidden = 64"), [64, 64]);
    assert_eq!(hidden("predictor.hidden = [64, 32]"), [64, 32]);
    let depths = plan("predictor.hidden = 64\n[grid]\npredictor.depth = [1, 2]");
    assert_eq!(depths.trials.len(), 2, "a depth of 1 drops the size that [base] says");
}

#[test]
fn a_measured_digest_is_the_identity_of_a_folder() {
    let text = file(
        "[base]\ndata.name = \"image_folder\"\nbatch_size = 8\n[grid]\ndata.path = [\"a\", \"b\"]\n",
    );
    let sweep = parse("sweep.toml", &text).unwrap();
    let digest = |path: &Path| Some(format!("digest of {}", path.display()));
    let request = Request { overrides: &[], digests: &digest, limit: Limit::Million };
    let plan = expand(&sweep, &request).unwrap();
    assert_eq!(plan.trials.len(), 2);
    assert_eq!(plan.trials[1].data_path.as_deref(), Some(Path::new("b")));

    let same = |_: &Path| Some("same".to_owned());
    let request = Request { overrides: &[], digests: &same, limit: Limit::Million };
    assert_eq!(expand(&sweep, &request).unwrap().trials.len(), 1, "equal images are equal trials");

    let error = planned(&text).unwrap_err().to_string();
    assert!(error.contains("nobody has measured"), "{error}");

    let declared = file("[base]\ndata.name = \"idx\"\ndata.path = \"a\"\ndata.digest = \"abc\"\n");
    let plan = planned(&declared).unwrap();
    let expected = crate::spec::run::Source::Idx { digest: Some("abc".into()) };
    assert_eq!(plan.trials[0].run.data.source, expected);
}

#[test]
fn views_follow_preset_parameters_only_and_remove() {
    let views = |rest: &str| plan(rest).trials[0].run.views.clone();
    let byol = views("");
    assert_eq!((byol.t.blur.unwrap().p, byol.t_prime.blur.unwrap().p), (1.0, 0.1));
    assert!(byol.t.solarize.is_none() && byol.t_prime.solarize.unwrap().p == 0.2);

    let small = views("augment.preset = \"byol_small\"\naugment.t.blur.p = 0.5\n");
    assert_eq!(
        small.t.blur,
        Some(crate::spec::run::Blur { p: 0.5, min_sigma: 0.1, max_sigma: 2.0 })
    );
    assert_eq!(small.t_prime.blur, None);

    let one = views("augment.t_prime.remove = [\"blur\", \"solarize\"]\n");
    assert_eq!((one.t.blur.is_some(), one.t_prime.blur, one.t_prime.solarize), (true, None, None));

    let symmetric = views("augment.blur.p = 0.5\naugment.solarize.p = 0.2\n");
    assert_eq!(symmetric.t, symmetric.t_prime);

    let crop = views("augment.only = [\"crop\"]\n");
    assert_eq!(crop.t, crate::spec::run::ViewRecipe { crop: byol.t.crop, ..Default::default() });

    let jitter = views("augment.preset = \"simclr_small\"\n").t.color_jitter.unwrap();
    assert_eq!((jitter.brightness, jitter.hue), (0.4, 0.1));

    let specific = views("augment.blur.p = 0.5\naugment.t.blur.p = 0.25\n");
    assert_eq!((specific.t.blur.unwrap().p, specific.t_prime.blur.unwrap().p), (0.25, 0.5));
    let later = views("augment.t.blur.p = 0.25\n[grid]\naugment.blur.p = 0.75\n");
    assert_eq!((later.t.blur.unwrap().p, later.t_prime.blur.unwrap().p), (0.75, 0.75));
}

/// Table 6 of the paper; the thresholds and the sigmas are those of its appendix B.
#[test]
fn the_byol_preset_is_the_papers_table() {
    let views = serde_json::to_value(&plan("").trials[0].run.views).unwrap();
    let table = |blur: f64, solarize: serde_json::Value| {
        serde_json::json!({
            "crop": {
                "min_area": 0.08, "max_area": 1.0, "min_aspect": 3.0 / 4.0, "max_aspect": 4.0 / 3.0,
            },
            "flip": { "p": 0.5 },
            "color_jitter": {
                "p": 0.8, "brightness": 0.4, "contrast": 0.4, "saturation": 0.2, "hue": 0.1,
            },
            "grayscale": { "p": 0.2 },
            "blur": { "p": blur, "min_sigma": 0.1, "max_sigma": 2.0 },
            "solarize": solarize,
        })
    };
    let solarize = serde_json::json!({ "p": 0.2, "threshold": 0.5 });
    assert_eq!(views["t"], table(1.0, serde_json::Value::Null));
    assert_eq!(views["t_prime"], table(0.1, solarize));
}

#[test]
fn removals_that_do_nothing_are_refused() {
    let cases = [
        ("augment.t.remove = [\"solarize\"]\n", "does not have in T"),
        ("augment.preset = \"byol_small\"\naugment.remove = [\"blur\"]\n", "does not have"),
        ("augment.preset = \"byol_small\"\naugment.only = [\"crop\", \"blur\"]\n", "does not have"),
        ("augment.remove = [\"blur\"]\naugment.t.remove = [\"blur\"]\n", "removed twice"),
        (
            "augment.only = [\"crop\"]\n[[arm]]\nname = \"a\"\naugment.remove = [\"blur\"]\n",
            "has taken out",
        ),
        ("augment.remove = [\"blur\"]\n[grid]\naugment.blur.p = [0.1, 0.5]\n", "takes blur out"),
    ];
    for (rest, expected) in cases {
        let message = message(rest);
        assert!(message.contains(expected), "{rest}: {message}");
    }
    // Inherited from [base], a parameter of what an arm removes is dropped.
    let dropped =
        plan("augment.blur.p = 0.3\n[[arm]]\nname = \"no blur\"\naugment.remove = [\"blur\"]\n");
    assert_eq!(dropped.trials.len(), 2);
}

#[test]
fn the_jitter_has_the_arithmetic_that_is_named() {
    use crate::spec::run::JitterArithmetic::{Paper, Torchvision};

    let arithmetics = |rest: &str| {
        let of = |views: &crate::spec::run::Views| {
            [views.t.color_jitter, views.t_prime.color_jitter]
                .map(|jitter| jitter.map(|j| j.arithmetic))
        };
        plan(rest).trials.iter().map(|trial| of(&trial.run.views)).collect::<Vec<_>>()
    };
    assert_eq!(arithmetics(""), [[Some(Paper); 2]]);
    let both = arithmetics("[grid]\naugment.jitter = [\"paper\", \"torchvision\"]\n");
    assert_eq!(both, [[Some(Paper); 2], [Some(Torchvision); 2]]);
    let one = "augment.t.remove = [\"color_jitter\"]\n[grid]\naugment.jitter = [\"torchvision\"]\n";
    assert_eq!(arithmetics(one), [[None, Some(Torchvision)]]);

    // Said where there is nothing to jitter: dropped from [base], refused elsewhere.
    let only = "augment.only = [\"crop\"]\n";
    assert_eq!(arithmetics(&format!("augment.jitter = \"torchvision\"\n{only}")), [[None; 2]]);
    for without in [
        only,
        "augment.remove = [\"color_jitter\"]\n",
        "augment.t.remove = [\"color_jitter\"]\naugment.t_prime.remove = [\"color_jitter\"]\n",
        "augment.color_jitter.p = 0\n",
    ] {
        for said in [
            "[grid]\naugment.jitter = [\"paper\", \"torchvision\"]\n",
            "[[arm]]\nname = \"a\"\naugment.jitter = \"torchvision\"\n",
        ] {
            let message = message(&format!("{without}{said}"));
            assert!(
                message.contains("neither view has a colour jitter"),
                "{without}{said}: {message}"
            );
        }
    }
}

#[test]
fn the_papers_jitter_keeps_its_json_and_its_key() {
    let run = |rest: &str| plan(rest).trials[0].run.clone();
    let (silent, said) = (run(""), run("augment.jitter = \"paper\"\n"));
    assert_eq!(said.train_key(), silent.train_key());
    assert!(!silent.canonical_json().contains("arithmetic"));
    let other = run("augment.jitter = \"torchvision\"\n");
    assert_ne!(other.train_key(), silent.train_key());
    assert_eq!(other, serde_json::from_str(&other.canonical_json()).unwrap());
}

#[test]
fn settings_must_go_together() {
    let cases = [
        ("update_batch_size = 100\n", "batch_size` 64 does not divide `update_batch_size` 100"),
        ("warmup_epochs = 301\n", "more than the 300 epochs"),
        ("predictor.out = 3\n", "one is compared with the other"),
        ("encoder.name = \"resnet18\"\nencoder.width = 0.5\n", "is a whole number"),
        ("augment.crop.min_area = 0.5\naugment.crop.max_area = 0.2\n", "above"),
        ("data.train_limit = 6000\n", "has 5000 training images"),
        ("data.train_limit = 32\n", "more than the 32 training images"),
        ("[[exclude]]\nmatch = { method = \"simclr\" }\n", "hits no cell"),
        ("[[exclude]]\nmatch = { method = \"byol\" }\n", "no cell is left"),
        (
            "[[when]]\nmatch = { method = \"simclr\" }\ngrid = { temperature = [1, 2] }\n",
            "hits no cell",
        ),
    ];
    for (rest, expected) in cases {
        let base = BASE.replace("update_batch_size = 256\n", "");
        let rest = if rest.starts_with("update") {
            rest.to_owned()
        } else {
            format!("update_batch_size = 256\n{rest}")
        };
        let message = planned(&file(&format!("{base}{rest}"))).unwrap_err().to_string();
        assert!(message.contains(expected), "{rest}: {message}");
    }
}

#[test]
fn a_setting_without_effect_on_an_axis_is_refused_wherever_it_stands() {
    let rules = [
        "[grid]\nmethod = [\"byol\", \"simclr\"]\ntau_base = [0.9, 0.99]\n",
        "[grid]\nmethod = [\"byol\", \"simclr\"]\n[[zip]]\ntau_base = [0.9, 0.99]\nepochs = [1, 2]\n",
        "[grid]\nmethod = [\"byol\", \"simclr\"]\n[[arm]]\nname = \"a\"\ntau_base = 0.9\n",
        "[grid]\nmethod = [\"byol\", \"simclr\"]\n[[when]]\nmatch = { method = \"simclr\" }\ngrid = { tau_base = [0.9, 0.99] }\n",
        "[[include]]\nmethod = \"simclr\"\ntau_base = 0.9\n",
    ];
    for rule in rules {
        let message = message(rule);
        assert!(
            message.starts_with("`tau_base` cannot act in cells with `method = \"simclr\"`"),
            "{rule}: {message}"
        );
    }
    assert!(message("[grid]\nencoder.stem = [\"small\", \"imagenet\"]\n").contains("encoder.stem"));
    assert!(message("[grid]\ndata.subset_seed = [0, 1]\n").contains("data.train_limit is set"));
    let optimizer = "optimizer.name = \"sgd\"\n[grid]\noptimizer.trust_coefficient = [0.1, 0.2]\n";
    assert!(message(optimizer).contains("optimizer.name = \"sgd\""));
    let unused = planned_with(&file(BASE), &[("temperature", "0.5")]).unwrap_err();
    assert!(unused.to_string().contains("temperature"));
}

#[test]
fn axes_that_advance_together_may_repeat_values() {
    let plan = plan(
        "[[zip]]\noptimizer.name = [\"sgd\", \"sgd\", \"lars\"]\noptimizer.base_lr = [0.1, 0.2, 0.2]\n",
    );
    assert_eq!(plan.trials.len(), 3);
    let repeats =
        "[[zip]]\nepochs = [1, 2]\ntau_base = [0.9, 0.9]\n[grid]\noptimizer.base_lr = [0.1, 0.1]\n";
    assert_eq!(message(repeats), "the axis `optimizer.base_lr` has 0.1 twice");
}

#[test]
fn images_must_be_named() {
    let error = planned(&file("[base]\nepochs = 1\n")).unwrap_err().to_string();
    assert_eq!(error, "`data.name` is not said");
    let error = planned(&file("[base]\ndata.name = \"idx\"\n")).unwrap_err().to_string();
    assert_eq!(error, "`data.name = \"idx\"` needs `data.path`");
}

#[test]
fn too_many_cells_is_a_question() {
    let text = file(&format!(
        "{BASE}[grid]\nepochs = {{ range = [1, 2000], step = 1 }}\noptimizer.base_lr = {{ linspace = [1, 2, 1000] }}\n"
    ));
    assert!(matches!(planned(&text), Err(PlanError::TooMany { cells: 2_000_000 })));
    let text = file(&format!(
        "{BASE}[grid]\nepochs = {{ range = [1, 400000], step = 1 }}\n[replicates]\nseeds = [1, 2, 3]\n"
    ));
    assert!(matches!(planned(&text), Err(PlanError::TooMany { cells: 1_200_000 })));
}

#[test]
fn every_default_is_of_its_settings_kind() {
    for name in ["shapes", "cifar10", "idx\"\ndata.path=\"x", "image_folder\"\ndata.path=\"x"] {
        for method in ["byol", "simclr"] {
            planned(&file(&format!("[base]\ndata.name = \"{name}\"\nmethod = \"{method}\"\n")))
                .unwrap();
        }
    }
}

/// The place that an error speaks of.
fn said_at<'t>(text: &'t str, error: &PlanError) -> &'t str {
    match error {
        PlanError::Spec(error) => &text[error.faults().next().map(Fault::span).unwrap()],
        PlanError::TooMany { .. } => panic!("{error}"),
    }
}

#[test]
fn an_error_of_the_plan_points_at_the_setting_that_was_said_last() {
    let text = file(&format!("{BASE}[[arm]]\nname = \"odd\"\nbatch_size = 100\n"));
    assert_eq!(said_at(&text, &planned(&text).unwrap_err()), "100");
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    const KEYS: [(&str, &[&str]); 4] = [
        ("epochs", &["10", "20", "30", "40"]),
        ("optimizer.base_lr", &["0.1", "0.2", "0.3"]),
        ("method", &["\"byol\"", "\"simclr\""]),
        ("augment.remove", &["[]", "[\"blur\"]", "[\"flip\", \"grayscale\"]"]),
    ];

    fn grid(sizes: &[usize; 4], order: &[usize]) -> String {
        let axis = |i: &usize| {
            let (key, values) = KEYS[*i];
            format!("{key} = [{}]\n", values[..sizes[*i].min(values.len())].join(", "))
        };
        format!("[grid]\n{}", order.iter().map(axis).collect::<String>())
    }

    const FRAGMENTS: [&str; 20] = [
        "[base]\n",
        "[grid]\n",
        "[[grid]]\n",
        "[[zip]]\n",
        "[[arm]]\n",
        "[[include]]\n",
        "[[when]]\n",
        "[eval.data]\n",
        "[replicates]\n",
        "name = \"shapes\"\n",
        "data.name = \"shapes\"\n",
        "batch_size = [64, 1e300, -3]\n",
        "batch_size = 64\n",
        "seeds = [99999999999999999999, 1]\n",
        "tau_base = { linspace = [0, nan, 3] }\n",
        "epochs = { range = [1, inf], step = \"*-2\" }\n",
        "augment = { remove = [[]] }\n",
        "match = { method = [] }\n",
        "encoder.width = { logspace = [1, 2, 1e9] }\n",
        "é = '☃'\n",
    ];

    fn keys(plan: &Plan) -> BTreeSet<TrainKey> {
        plan.trials.iter().map(|trial| trial.train_key.clone()).collect()
    }

    fn sizes() -> impl Strategy<Value = [usize; 4]> {
        [1usize..=4, 1usize..=3, 1usize..=2, 1usize..=3]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn the_count_is_the_product_less_the_excluded(sizes in sizes(), exclude: bool) {
            let rule = if exclude { "[[exclude]]\nmatch = { epochs = 10, optimizer.base_lr = 0.1 }\n" } else { "" };
            prop_assume!(!exclude || sizes[0] * sizes[1] > 1);
            let plan = plan(&format!("{}{rule}[replicates]\nseeds = [0, 1]\n", grid(&sizes, &[0, 1, 2, 3])));
            let excluded = if exclude { sizes[2] * sizes[3] } else { 0 };
            let product: usize = sizes.iter().product();
            prop_assert_eq!(plan.trials.len(), 2 * (product - excluded));
            prop_assert_eq!(keys(&plan).len(), plan.trials.len());
        }

        #[test]
        fn no_file_makes_it_panic(parts in prop::collection::vec(0usize..FRAGMENTS.len(), 0..12)) {
            let text: String = parts.into_iter().map(|i| FRAGMENTS[i]).collect();
            // Either answer will do; a panic will not.
            let _ = planned(&file(&text));
        }

        #[test]
        fn the_order_of_keys_changes_no_trial(sizes in sizes(), order in Just([0usize, 1, 2, 3]).prop_shuffle()) {
            let sorted = plan(&grid(&sizes, &[0, 1, 2, 3]));
            prop_assert_eq!(keys(&plan(&grid(&sizes, &order))), keys(&sorted));
        }

        #[test]
        fn another_value_keeps_all_earlier_keys(sizes in sizes(), axis in 0usize..4) {
            let mut more = sizes;
            more[axis] += 1;
            let before = keys(&plan(&grid(&sizes, &[0, 1, 2, 3])));
            let after = keys(&plan(&grid(&more, &[0, 1, 2, 3])));
            prop_assert!(before.is_subset(&after));
        }
    }
}

const FOUR: &str = "[grid]\noptimizer.base_lr = [0.1, 0.2, 0.3, 0.4]\n";

#[test]
fn a_policy_is_part_of_the_facts_and_of_no_identity() {
    let plain = plan(FOUR);
    let asha = plan(&format!("{FOUR}[early_stop]\npolicy = \"asha\"\nmin_epochs = 10\n"));
    assert_eq!(plain.trials, asha.trials);
    assert_eq!(plain.eval_key, asha.eval_key);
    let policy = crate::spec::sweep::EarlyStop::Asha { min_epochs: 10, reduction: 3 };
    assert_eq!((plain.meta.early_stop, asha.meta.early_stop), (None, Some(policy)));
    assert_eq!(Facts::from(&asha).early_stop, Some(policy));
    assert!(!serde_json::to_string(&Facts::from(&plain)).unwrap().contains("early_stop"));
}

#[test]
fn a_policy_is_turned_on_and_off_from_the_command_line() {
    let text = file(&format!("{BASE}{FOUR}[early_stop]\npolicy = \"median\"\nwarmup = 20\n"));
    let median = |every| Some(crate::spec::sweep::EarlyStop::Median { warmup: 20, every });
    let early_stop = |set: &[(&str, &str)]| planned_with(&text, set).unwrap().meta.early_stop;
    assert_eq!(early_stop(&[]), median(1));
    assert_eq!(early_stop(&[("early_stop.every", "5")]), median(5));
    assert_eq!(early_stop(&[("early_stop.policy", "none")]), None);
}

/// Policies that could not act, or not fairly, each with what the message must say.
#[test]
fn a_policy_that_cannot_compare_is_refused() {
    let asha = "[early_stop]\npolicy = \"asha\"\nmin_epochs = 10\n";
    let cases = [
        (format!("[early_stop]\nwarmup = 3\n{FOUR}"), "[early_stop] does not say `policy`"),
        (format!("[early_stop]\npolicy = \"asha\"\n{FOUR}"), "needs `early_stop.min_epochs`"),
        (
            format!("{asha}warmup = 3\n{FOUR}"),
            "`early_stop.warmup` cannot act with `policy = \"asha\"`",
        ),
        (format!("{asha}[grid]\nepochs = [20, 30, 40]\n"), "but `epochs` varies"),
        (format!("{asha}[grid]\ndata.train_limit = [512, 1024, 2048]\n"), "but `data` varies"),
        (format!("{asha}[replicates]\nseeds = [0, 1, 2]\n"), "this sweep has 1"),
        (
            format!("[early_stop]\npolicy = \"median\"\nwarmup = 300\n{FOUR}"),
            "for the first time when the 300 epochs are over",
        ),
    ];
    for (rest, says) in cases {
        let message = message(&rest);
        assert!(message.contains(says), "{rest}\n{message}");
    }
    let few = planned(&file(&format!(
        "[base]\ndata.name = \"shapes\"\ndata.shapes.train = 15\nbatch_size = 5\n{FOUR}{asha}"
    )));
    let message = few.unwrap_err().to_string();
    assert!(message.contains("there is no `knn_probe_top1` of 15 training images"), "{message}");
}
