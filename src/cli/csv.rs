//! `ls --csv`: the same rows for spreadsheets, with values as they are and not as people read them.

use std::collections::BTreeSet;

use anyhow::Context;
use csv::Writer;

use super::ls::{self, Listed};
use super::trials::{self, Named};
use crate::outcome::Verdict;

/// Returns the rows, with a column for every axis and every metric.
pub(super) fn text(listed: &Listed) -> anyhow::Result<String> {
    let Listed { sweep: _, rows, finals, interrupted } = listed;
    let axes = trials::axes_of(rows);
    let results = ls::results(finals);
    let metrics: BTreeSet<&String> =
        rows.iter().filter_map(|row| results.get(&row.train_key)).flat_map(|v| v.keys()).collect();
    let mut writer = Writer::from_writer(Vec::new());
    let fixed =
        ["number", "key", "group", "state", "interrupted", "verdict", "reason", "attempts", "arm"];
    let head = fixed.into_iter().chain(axes.iter().map(String::as_str));
    let metric_names = metrics.iter().map(|name| name.as_str());
    writer.write_record(head.chain(["seed"]).chain(metric_names))?;
    for row in rows {
        let named = Named::from(row);
        let reason = row.failure.as_ref().map_or("", |(reason, _)| reason.as_str());
        let mut cells = vec![
            row.ordinal.to_string(),
            row.train_key.to_string(),
            row.group_key.to_string(),
            row.state.as_str().to_owned(),
            interrupted.contains(&row.train_key).to_string(),
            row.verdict.map_or("", Verdict::as_str).to_owned(),
            reason.to_owned(),
            row.attempts.to_string(),
            named.arm(),
        ];
        cells.extend(axes.iter().map(|axis| named.axis(axis)));
        cells.push(row.run.seed.to_string());
        let value = |name: &&String| results.get(&row.train_key)?.get(*name).map(f64::to_string);
        cells.extend(metrics.iter().map(|name| value(name).unwrap_or_default()));
        writer.write_record(cells)?;
    }
    let bytes = writer.into_inner().context("cannot write CSV to memory")?;
    String::from_utf8(bytes).context("CSV of text is text")
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn spreadsheets_get_fractions_and_whole_keys() {
        let rows = samples::trials();
        let finals = vec![samples::finals(&rows[0])];
        let interrupted = [rows[2].train_key.clone()].into();
        let first = rows[0].train_key.clone();
        let text = text(&Listed { sweep: "tiny".into(), rows, finals, interrupted }).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), samples::trials().len() + 1);
        let head = "number,key,group,state,interrupted,verdict,reason,attempts,arm,augment.remove,batch_size,seed,knn_top1,linear_top1,loss";
        assert_eq!(lines[0], head);
        assert!(lines[1].starts_with(&format!("1,{first}")), "{}", lines[1]);
        assert!(lines[1].ends_with(",128,0,0.55,0.6125,0.25"), "{}", lines[1]);
        assert!(lines[3].contains(",running,true,,"), "{}", lines[3]);
        assert!(lines[4].contains(",failed,false,,out_of_memory,1,,"), "{}", lines[4]);
    }
}
