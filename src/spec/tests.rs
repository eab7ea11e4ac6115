//! What people read when a sweep file is wrong.

use std::path::Path;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};

use super::parse;
use crate::plan::{Limit, Request, expand};
use crate::spec::sweep::{KeepExhibit, SpreadKind};

/// Returns the error of a file as a terminal without colours shows it.
fn shown(rest: &str) -> String {
    let text = format!("schema = 1\nname = \"t\"\n{rest}\n");
    let unknown = |_: &Path| None;
    let request = Request { overrides: &[], digests: &unknown, limit: Limit::Million };
    match parse("sweep.toml", &text) {
        Err(error) => rendered(&error),
        Ok(sweep) => rendered(&expand(&sweep, &request).expect_err("must be refused")),
    }
}

fn rendered(error: &dyn Diagnostic) -> String {
    let mut report = String::new();
    GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_width(100)
        .render_report(&mut report, error)
        .unwrap();
    let flush_left = |line: &str| line.strip_prefix("  ").unwrap_or(line).trim_end().to_owned();
    report.lines().map(flush_left).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_typo_in_a_key() {
    insta::assert_snapshot!(shown("[base]\ndata.name = \"shapes\"\ntau_bsae = 0.9"), @r##"
    × unknown setting `tau_bsae`
     ╭─[sweep.toml:5:1]
     4 │ data.name = "shapes"
     5 │ tau_bsae = 0.9
     · ────┬───
     ·     ╰── not a setting
     ╰────
    help: did you mean `tau_base`?
    "##);
}

#[test]
fn a_sweep_is_not_called_like_a_trial_or_an_option() {
    let parsed = |name: &str| {
        let text = format!("schema = 1\nname = {name:?}\n[base]\ndata.name = \"shapes\"\n");
        parse("sweep.toml", &text).map(|_| ()).map_err(|error| rendered(&error))
    };
    for name in ["a", "bee", "beef-1", "tau_2", "cafes"] {
        assert_eq!(parsed(name), Ok(()));
    }
    for name in ["", "1", "12ab-x", "-x", "_x", "a b", "Name"] {
        assert!(parsed(name).unwrap_err().contains("a letter first"), "{name}");
    }
    for name in ["beef", "0a1b", "1234", "d36ce023"] {
        assert!(parsed(name).unwrap_err().contains("could be a trial's key"), "{name}");
    }
}

#[test]
fn a_wrong_type() {
    insta::assert_snapshot!(shown("[base]\ndata.name = \"shapes\"\nepochs = \"ten\""), @r##"
    × `epochs` takes a whole number from 1 to 1000000, not the string "ten"
     ╭─[sweep.toml:5:10]
     4 │ data.name = "shapes"
     5 │ epochs = "ten"
     ·          ──┬──
     ·            ╰── wrong type
     ╰────
    "##);
}

#[test]
fn an_empty_axis() {
    insta::assert_snapshot!(shown("[grid]\nbatch_size = []"), @r##"
    × the axis `batch_size` has no values
     ╭─[sweep.toml:4:14]
     3 │ [grid]
     4 │ batch_size = []
     ·              ─┬
     ·               ╰── empty
     ╰────
    help: an axis without values makes a sweep without trials: name one or leave it out
    "##);
}

#[test]
fn a_tau_outside_its_range() {
    insta::assert_snapshot!(shown("[base]\ndata.name = \"shapes\"\ntau_base = 1.5"), @r##"
    × `tau_base` takes a number in [0, 1], not 1.5
     ╭─[sweep.toml:5:12]
     4 │ data.name = "shapes"
     5 │ tau_base = 1.5
     ·            ─┬─
     ·             ╰── out of range
     ╰────
    "##);
}

#[test]
fn a_batch_that_does_not_divide() {
    insta::assert_snapshot!(shown("[base]\ndata.name = \"shapes\"\nupdate_batch_size = 256\n[grid]\nbatch_size = [64, 100]"), @r##"
    × `batch_size` 100 does not divide `update_batch_size` 256
     ╭─[sweep.toml:7:19]
     4 │ data.name = "shapes"
     5 │ update_batch_size = 256
     ·                     ─┬─
     ·                      ╰── with this
     6 │ [grid]
     7 │ batch_size = [64, 100]
     ·                   ─┬─
     ·                    ╰── leaves a remainder
     ╰────
    help: an update averages over whole batches; `update_batch_size = "same"` makes every batch an
          update
    "##);
}

#[test]
fn a_varying_batch_without_the_update() {
    insta::assert_snapshot!(shown("[base]\ndata.name = \"shapes\"\n[grid]\nbatch_size = [64, 128]"), @r##"
    × `batch_size` varies, but `update_batch_size` is not said
     ╭─[sweep.toml:6:15]
     5 │ [grid]
     6 │ batch_size = [64, 128]
     ·               ─┬
     ·                ╰── varies
     ╰────
    help: two studies are possible, say which under [base]:
          `update_batch_size = 4096` keeps the update and varies what BatchNorm and the negatives
          see;
          `update_batch_size = "same"` varies the update too, and the learning rate scales with it
    "##);
}

#[test]
fn tau_on_an_axis_with_simclr() {
    insta::assert_snapshot!(shown("[base]\ndata.name = \"shapes\"\n[grid]\nmethod = [\"byol\", \"simclr\"]\ntau_base = [0.9, 0.99]"), @r##"
    × `tau_base` cannot act in cells with `method = "simclr"`
     ╭─[sweep.toml:7:1]
     5 │ [grid]
     6 │ method = ["byol", "simclr"]
     ·                   ────┬───
     ·                       ╰── "simclr" comes from here
     7 │ tau_base = [0.9, 0.99]
     · ────┬───
     ·     ╰── has no effect in some cells
     ╰────
    help: give it to the cells where it acts:
          [[when]]
          match = { method = "byol" }
          grid = { tau_base = ... }
    "##);
}

#[test]
fn an_augmentation_that_does_not_exist() {
    insta::assert_snapshot!(shown("[base]\naugment.remove = [\"blurr\"]"), @r##"
    × `augment.remove` names "blurr", which is no operator
     ╭─[sweep.toml:4:19]
     3 │ [base]
     4 │ augment.remove = ["blurr"]
     ·                   ───┬───
     ·                      ╰── no such operator
     ╰────
    help: did you mean "blur"? valid: crop, flip, color_jitter, grayscale, blur, solarize
    "##);
}

#[test]
fn an_augmentation_removed_twice() {
    insta::assert_snapshot!(shown("[base]\naugment.remove = [\"blur\", \"flip\", \"blur\"]"), @r##"
    × `augment.remove` names blur twice
     ╭─[sweep.toml:4:35]
     3 │ [base]
     4 │ augment.remove = ["blur", "flip", "blur"]
     ·                                   ───┬──
     ·                                      ╰── again
     ╰────
    "##);
}

#[test]
fn an_augmentation_that_the_preset_lacks() {
    insta::assert_snapshot!(shown("[base]\ndata.name = \"shapes\"\naugment.preset = \"byol_small\"\n[[arm]]\nname = \"remove blur\"\naugment.remove = [\"blur\"]"), @r##"
    × `augment.remove` names blur, which `augment.preset = "byol_small"` does not have
     ╭─[sweep.toml:8:18]
     4 │ data.name = "shapes"
     5 │ augment.preset = "byol_small"
     ·                  ──────┬─────
     ·                        ╰── this preset
     6 │ [[arm]]
     7 │ name = "remove blur"
     8 │ augment.remove = ["blur"]
     ·                  ────┬───
     ·                      ╰── nothing of this name there
     ╰────
    help: the cell would silently be the baseline; leave blur out of the list, or give the views a
          blur first: `augment.blur.p = 0.5`
    "##);
}

#[test]
fn a_flat_list_of_removals() {
    insta::assert_snapshot!(shown("[grid]\naugment.remove = [\"blur\", \"flip\"]"), @r##"
    × an axis of `augment.remove` is a list of lists
     ╭─[sweep.toml:4:18]
     3 │ [grid]
     4 │ augment.remove = ["blur", "flip"]
     ·                  ────────┬───────
     ·                          ╰── a flat list
     ╰────
    help: one list for each cell: `augment.remove = [[], ["blur"], ["color_jitter", "grayscale"]]`
    "##);
}

#[test]
fn a_quoted_key() {
    insta::assert_snapshot!(shown("[base]\n\"optimizer.base_lr\" = 0.3"), @r##"
    × `optimizer.base_lr` is quoted, which makes it one key with a dot in its name
     ╭─[sweep.toml:4:1]
     3 │ [base]
     4 │ "optimizer.base_lr" = 0.3
     · ─────────┬─────────
     ·          ╰── quoted
     ╰────
    help: write optimizer.base_lr without quotes
    "##);
}

#[test]
fn settings_outside_base() {
    insta::assert_snapshot!(shown("[optimizer]\nbase_lr = 0.3"), @r##"
    × the setting `optimizer` stands outside [base]
     ╭─[sweep.toml:3:2]
     2 │ name = "t"
     3 │ [optimizer]
     ·  ────┬────
     ·      ╰── outside [base]
     4 │ base_lr = 0.3
     ╰────
    help: write [base.optimizer], or `optimizer.<key> = ...` under [base]
    "##);
}

#[test]
fn a_seed_named_twice() {
    insta::assert_snapshot!(shown("[replicates]\nseeds = [0, 1, 0]"), @r##"
    × the seed 0 is named twice
     ╭─[sweep.toml:4:16]
     3 │ [replicates]
     4 │ seeds = [0, 1, 0]
     ·                ┬
     ·                ╰── again
     ╰────
    help: trials with equal seeds are one trial; each seed counts once
    "##);
}

#[test]
fn a_seed_in_base() {
    insta::assert_snapshot!(shown("[base]\nseed = 3"), @r##"
    × unknown setting `seed`
     ╭─[sweep.toml:4:1]
     3 │ [base]
     4 │ seed = 3
     · ──┬─
     ·   ╰── not a setting
     ╰────
    help: seeds are not a setting: write `seeds = [0, 1, 2]` under [replicates]
    "##);
}

#[test]
fn a_method_that_is_not_built() {
    insta::assert_snapshot!(shown("[base]\nmethod = \"moco_v2\""), @r##"
    × `method = "moco_v2"` is not built yet
     ╭─[sweep.toml:4:10]
     3 │ [base]
     4 │ method = "moco_v2"
     ·          ────┬────
     ·              ╰── not built yet
     ╰────
    help: valid: byol, simclr
    "##);
}

#[test]
fn a_zip_of_unequal_lengths() {
    insta::assert_snapshot!(shown("[[zip]]\nepochs = [1, 2, 3]\noptimizer.base_lr = [0.1, 0.2]"), @r##"
    × axes of a zip advance together, but `epochs` has 3 and `optimizer.base_lr` has 2
     ╭─[sweep.toml:5:11]
     3 │ [[zip]]
     4 │ epochs = [1, 2, 3]
     · ───┬──
     ·    ╰── 3 values
     5 │ optimizer.base_lr = [0.1, 0.2]
     ·           ───┬───
     ·              ╰── 2 values
     ╰────
    "##);
}

#[test]
fn an_empty_match() {
    insta::assert_snapshot!(shown("[[exclude]]\nmatch = {}"), @r##"
    × an empty match would match every cell
     ╭─[sweep.toml:4:9]
     3 │ [[exclude]]
     4 │ match = {}
     ·         ─┬
     ·          ╰── empty
     ╰────
    help: name at least one setting: match = { method = "simclr" }
    "##);
}

#[test]
fn a_syntax_error() {
    insta::assert_snapshot!(shown("[base]\nepochs = = 3"), @r##"
    × not valid TOML: extra `=`, expected nothing
     ╭─[sweep.toml:4:10]
     3 │ [base]
     4 │ epochs = = 3
     ·          ┬
     ·          ╰── here
     ╰────
    "##);
}

#[test]
fn several_errors_at_once() {
    insta::assert_snapshot!(shown("colour = \"red\"\n[base]\nmethod = \"byoll\"\noptimizer.lr = 0.3\n[resources]\ntime_limit = \"soon\""), @r##"
    × unknown key `colour` in a sweep file
     ╭─[sweep.toml:3:1]
     2 │ name = "t"
     3 │ colour = "red"
     · ───┬──
     ·    ╰── unknown
     4 │ [base]
     ╰────
    help: valid: schema, name, description, reproduces, replicates, eval, resources, retry,
          checkpoint, report, early_stop, base, grid, zip, when, exclude, include, arm

    Error:
    × `method` does not take "byoll"
     ╭─[sweep.toml:5:10]
     4 │ [base]
     5 │ method = "byoll"
     ·          ───┬───
     ·             ╰── not valid here
     6 │ optimizer.lr = 0.3
     ╰────
    help: did you mean "byol"? valid: byol, simclr

    Error:
    × unknown setting `optimizer.lr`
     ╭─[sweep.toml:6:11]
     5 │ method = "byoll"
     6 │ optimizer.lr = 0.3
     ·           ─┬
     ·            ╰── not a setting
     7 │ [resources]
     ╰────
    help: did you mean `optimizer.base_lr`?

    Error:
    × `resources.time_limit` takes a time such as "10m" or "1h 30m": expected number at 0
     ╭─[sweep.toml:8:14]
     7 │ [resources]
     8 │ time_limit = "soon"
     ·              ───┬──
     ·                 ╰── not a time
     ╰────
    "##);
}

#[test]
fn an_error_of_set_points_at_the_command_line() {
    let mut sweep = parse("sweep.toml", "schema = 1\nname = \"t\"").unwrap();
    let pairs = [("encoder.name".to_owned(), "resnet19".to_owned())];
    insta::assert_snapshot!(rendered(&sweep.override_with(&pairs).unwrap_err()), @r##"
    × `encoder.name` does not take "resnet19"
     ╭─[--set:1:16]
     1 │ encoder.name = "resnet19"
     ·                ─────┬────
     ·                     ╰── not valid here
     ╰────
    help: did you mean "resnet18"? valid: convnet, resnet18, resnet34, resnet50, resnet101,
          resnet152, resnet200
    "##);
}

#[test]
fn inline_tables_headers_and_dotted_keys_are_one() {
    let keys = |rest: &str| {
        let sweep = parse("sweep.toml", &format!("schema = 1\nname = \"t\"\n{rest}\n")).unwrap();
        sweep.rules.base.iter().map(|s| (s.key, s.value.to_string())).collect::<Vec<_>>()
    };
    let dotted = keys("[base]\noptimizer.name = \"sgd\"\noptimizer.base_lr = 1");
    assert_eq!(dotted.len(), 2);
    assert_eq!(dotted, keys("[base]\noptimizer = { name = \"sgd\", base_lr = 1.0 }"));
    assert_eq!(dotted, keys("[base.optimizer]\nname = \"sgd\"\nbase_lr = 1"));
    assert_eq!(dotted, keys("base = { optimizer.name = \"sgd\", optimizer.base_lr = 1 }"));
}

#[test]
fn the_other_tables_have_their_defaults_and_values() {
    let text = |rest: &str| format!("schema = 1\nname = \"t\"\n{rest}\n");
    let plain = parse("sweep.toml", &text("")).unwrap().tables;
    assert_eq!((plain.linear.epochs, plain.linear.holdout, plain.knn.k), (80, 0.1, 200));
    assert_eq!(plain.meta.checkpoint_every.as_secs(), 600);
    let said = "[eval]\nlinear = { epochs = 5, learning_rates = [1] }\nknn.k = 20\ndata = { name = \"idx\", path = \"x\" }\n[resources]\nslots_per_device = 2\ntime_limit = \"12h\"\n[report]\nmetric = \"knn_top1\"\nspread = \"bca95\"\nexhibits = false";
    let said = parse("sweep.toml", &text(said)).unwrap().tables;
    assert_eq!((said.linear.epochs, said.linear.batch_size, said.knn.k), (5, 256, 20));
    assert_eq!((said.meta.resources.slots_per_device, said.eval_data.len()), (2, 2));
    assert_eq!(said.meta.resources.time_limit.map(|limit| limit.as_secs()), Some(43_200));
    assert_eq!(said.meta.report_metric, "knn_top1");
    assert_eq!(plain.meta.report_spread, SpreadKind::Sd);
    assert_eq!(said.meta.report_spread, SpreadKind::Bca95);
    assert_eq!(plain.meta.retention.exhibit, KeepExhibit::Yes);
    assert_eq!(said.meta.retention.exhibit, KeepExhibit::No);
    let error = parse("sweep.toml", &text("[report]\nspread = \"sem\"")).unwrap_err().to_string();
    assert!(
        error.contains("`report.spread` takes \"sd\", \"t95\" or \"bca95\", not \"sem\""),
        "{error}"
    );
}

/// Knobs that do not go together, each with what the message must say.
#[test]
fn knobs_of_the_family_that_do_not_go_together() {
    let shapes = "[base]\ndata.name = \"shapes\"\n";
    let cases = [
        (
            "predictor.kind = \"none\"\n[grid]\npredictor.lr_multiplier = [1, 2]",
            "`predictor.lr_multiplier` cannot act in cells with `predictor.kind = \"none\"`",
        ),
        (
            "method = \"simclr\"\n[grid]\npredictor.lr_multiplier = [1, 2]",
            "`predictor.lr_multiplier` cannot act in cells with `method = \"simclr\"`",
        ),
        (
            "[grid]\npredictor.kind = [\"mlp\", \"none\"]\npredictor.depth = [1, 2]",
            "`predictor.depth` cannot act in cells with `predictor.kind = \"none\"`",
        ),
        (
            "projector.depth = 1\nprojector.hidden = 512",
            "`projector.depth = 1` is one linear layer: it has no hidden layer",
        ),
        (
            "predictor.depth = 1\n[grid]\npredictor.hidden = [64, 128]",
            "`predictor.depth = 1` is one linear layer: it has no hidden layer",
        ),
        (
            "projector.depth = 4\nprojector.hidden = [512, 256]",
            "`projector.depth` is 4, which leaves 3 hidden layers, but `projector.hidden` sizes 2",
        ),
        (
            "target = \"stop_gradient\"\n[grid]\ntau_base = [0.9, 0.99]",
            "`tau_base` cannot act in cells with `target = \"stop_gradient\"`",
        ),
        (
            "target = \"online\"\n[grid]\ntau_schedule = [\"cosine\", \"constant\"]",
            "`tau_schedule` cannot act in cells with `target = \"online\"`",
        ),
        (
            "beta = 0\n[grid]\ntemperature = [0.1, 1]",
            "`temperature` cannot act in cells with `beta = 0`",
        ),
        (
            "[grid]\nbeta = [0, 1]\ntemperature = [0.1, 1]",
            "`temperature` cannot act in cells with `beta = 0`",
        ),
        (
            "beta = 0.5\n[grid]\nloss_normalization = [\"l2\", \"layer\"]",
            "`loss_normalization` cannot act in cells with `beta = 0.5`",
        ),
        (
            "beta = 0.5\n[grid]\nloss_scale = [\"info_nce\", \"mean_over_views\"]",
            "`loss_scale` cannot act in cells with `beta = 0.5`",
        ),
        ("beta = -1", "`beta`"),
        (
            "predictor.kind = \"optimal_linear\"\nbatch_size = 64",
            "the optimal linear predictor needs more images in a batch than the projection has",
        ),
        (
            "predictor.kind = \"optimal_linear\"\nprojector.out = 8\n[grid]\npredictor.depth = [1, 2]",
            "`predictor.depth` cannot act in cells with `predictor.kind = \"optimal_linear\"`",
        ),
    ];
    for (rest, says) in cases {
        let message = shown(&format!("{shapes}{rest}"));
        assert!(message.contains(says), "{rest}\n{message}");
        assert!(message.contains("sweep.toml:"), "{message}");
    }
}

/// Tables of `early_stop` and `checkpoint` that are refused, each with what the message must say.
#[test]
fn early_stopping_and_retention_are_checked_when_they_are_read() {
    let sees_test_images = "it is measured on test images";
    let cases = [
        ("[early_stop]\npolicy = \"medain\"", "did you mean \"median\"?"),
        ("[early_stop]\npolicy = \"asha\"\nmin_epoch = 3", "did you mean `min_epochs`?"),
        ("[early_stop]\npolicy = \"asha\"\nmin_epochs = 0", "`early_stop.min_epochs` takes"),
        ("[early_stop]\npolicy = \"asha\"\nreduction = 1", "`early_stop.reduction` takes"),
        ("[early_stop]\nmetric = \"linear_top1\"", sees_test_images),
        ("[early_stop]\nmetric = \"floor_knn_top5\"", sees_test_images),
        ("[early_stop]\nmetric = \"loss\"", "settings are compared by accuracy"),
        ("[early_stop]\nmetric = \"knn_prob_top1\"", "did you mean `knn_probe_top1`?"),
        ("[early_stop]\nmetric = 3", "`early_stop.metric` takes a text"),
        ("[checkpoint]\nkeep = [\"best\"]", "leaves out \"last\""),
        ("[checkpoint]\nkeep = [\"last\", \"bset\"]", "did you mean \"best\"?"),
        ("[checkpoint]\nkeep = []", "`checkpoint.keep` is empty"),
        ("[checkpoint]\nkeep_every = 0", "`checkpoint.keep_every` takes"),
    ];
    for (rest, says) in cases {
        let message = shown(rest);
        assert!(message.contains(says), "{rest}\n{message}");
        assert!(message.contains("sweep.toml:"), "{message}");
    }
}
