//! Reads and checks a table. Knows nothing of where it is kept.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use csv::{ReaderBuilder, StringRecord, Trim};

use super::{ImportError, Imported};
use crate::spec::{Key, keys};

/// Columns that are no settings.
const ARM: &str = "arm";
const METRIC: &str = "metric";
const VALUE: &str = "value";
const SPREAD: &str = "spread";
const N: &str = "n";
const SOURCE: &str = "source";
const UNIT: &str = "unit";
const PLAIN: [&str; 7] = [ARM, METRIC, VALUE, SPREAD, N, SOURCE, UNIT];

/// How near a name must be to be what was meant.
const NEAR: f64 = 0.6;

/// Reads the rows of a CSV file; `import` names them and `file` stands in errors.
///
/// # Errors
/// The text is no such table; the error tells the line.
pub fn read(file: &Path, text: &str, import: &str) -> Result<Vec<Imported>, ImportError> {
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(text.as_bytes());
    let not_a_row = |error: csv::Error| not_a_row(file, &error);
    let columns = Columns::new(file, reader.headers().map_err(not_a_row)?)?;
    let mut rows = Vec::new();
    let mut seen: HashMap<String, u64> = HashMap::new();
    for record in reader.records() {
        let record = record.map_err(not_a_row)?;
        let line = record.position().map_or(0, csv::Position::line);
        let row = Row { file, line, columns: &columns, record: &record }.imported(import)?;
        let what = identity(&row);
        if let Some(&first) = seen.get(&what) {
            return Err(ImportError::Repeated { file: file.to_owned(), line, first, what });
        }
        seen.insert(what, line);
        rows.push(row);
    }
    if rows.is_empty() {
        return Err(ImportError::NoRows { file: file.to_owned() });
    }
    Ok(rows)
}

fn not_a_row(file: &Path, error: &csv::Error) -> ImportError {
    let line = error.position().map_or(1, csv::Position::line);
    let cause = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("it has {len} entries where the heading has {expected_len}")
        }
        _ => error.to_string(),
    };
    ImportError::NotARow { file: file.to_owned(), line, cause }
}

/// What a row is about, in words; two rows about the same contradict or repeat each other.
fn identity(row: &Imported) -> String {
    let mut words: Vec<String> = row.arm.iter().cloned().collect();
    words.extend(row.settings.iter().map(|(key, value)| format!("{key}={value}")));
    words.push(row.metric.clone());
    words.extend(row.source.iter().map(|source| format!("of {source}")));
    words.join(" ")
}

/// Where columns stand.
struct Columns {
    plain: HashMap<&'static str, usize>,
    settings: Vec<(String, usize)>,
}

impl Columns {
    fn new(file: &Path, heading: &StringRecord) -> Result<Self, ImportError> {
        let file = file.to_owned();
        let mut columns = Self { plain: HashMap::new(), settings: Vec::new() };
        for (place, name) in heading.iter().enumerate() {
            if heading.iter().take(place).any(|before| before == name) {
                return Err(ImportError::ColumnTwice { file, column: name.to_owned() });
            }
            match PLAIN.into_iter().find(|plain| *plain == name) {
                Some(plain) => {
                    columns.plain.insert(plain, place);
                }
                None if Key::named(name).is_some() => {
                    columns.settings.push((name.to_owned(), place));
                }
                None => return Err(unknown(&file, name)),
            }
        }
        for column in [METRIC, VALUE] {
            if !columns.plain.contains_key(column) {
                let present = match heading.len() {
                    0 => "none at all".to_owned(),
                    _ => heading.iter().collect::<Vec<_>>().join(", "),
                };
                return Err(ImportError::NoColumn { file, column, present });
            }
        }
        if columns.settings.is_empty() && !columns.plain.contains_key(ARM) {
            return Err(ImportError::NoCells { file });
        }
        Ok(columns)
    }
}

fn unknown(file: &Path, column: &str) -> ImportError {
    let candidates = PLAIN.into_iter().chain(keys().map(|info| info.path));
    let nearest = candidates
        .map(|name| (strsim::normalized_damerau_levenshtein(column, name), name))
        .filter(|(similarity, _)| *similarity >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    ImportError::UnknownColumn {
        file: file.to_owned(),
        column: column.to_owned(),
        known: PLAIN.join(", "),
        hint: nearest.map_or_else(String::new, |(_, name)| format!("; did you mean `{name}`?")),
    }
}

/// A line of the table.
struct Row<'a> {
    file: &'a Path,
    line: u64,
    columns: &'a Columns,
    record: &'a StringRecord,
}

impl Row<'_> {
    fn imported(&self, import: &str) -> Result<Imported, ImportError> {
        let metric = self.text(METRIC).ok_or_else(|| self.bad(METRIC, "the name of a metric"))?;
        let scale = match self.text(UNIT) {
            None | Some("fraction") => 1.0,
            Some("percent" | "%") => 0.01,
            Some(_) => return Err(self.bad(UNIT, "`fraction` or `percent`")),
        };
        let value = self.number(VALUE)?.ok_or_else(|| self.bad(VALUE, "a number"))? * scale;
        let is_accuracy = ["top1", "top5", "accuracy"].iter().any(|part| metric.contains(part));
        if is_accuracy && !(0.0..=1.0).contains(&value) {
            return Err(ImportError::LooksLikePercent {
                file: self.file.to_owned(),
                line: self.line,
                metric: metric.to_owned(),
                value,
            });
        }
        let spread = self.number(SPREAD)?.map(|spread| spread * scale);
        if spread.is_some_and(|spread| spread < 0.0) {
            return Err(self.bad(SPREAD, "a number from 0"));
        }
        let n = self.text(N).map(|text| text.parse::<u32>().ok().filter(|n| *n > 0));
        if n == Some(None) {
            return Err(self.bad(N, "a whole number from 1"));
        }
        let settings = self.columns.settings.iter().filter_map(|(key, place)| {
            let text = self.record.get(*place).filter(|text| !text.is_empty())?;
            Some((key.clone(), text.to_owned()))
        });
        Ok(Imported {
            import: import.to_owned(),
            arm: self.text(ARM).map(str::to_owned),
            settings: settings.collect::<BTreeMap<_, _>>(),
            metric: metric.to_owned(),
            value,
            spread,
            n: n.flatten(),
            source: self.text(SOURCE).map(str::to_owned),
        })
    }

    /// Returns what stands in a column; `None` where it is missing or empty.
    fn text(&self, column: &str) -> Option<&str> {
        let text = self.record.get(*self.columns.plain.get(column)?)?;
        (!text.is_empty()).then_some(text)
    }

    fn number(&self, column: &'static str) -> Result<Option<f64>, ImportError> {
        let Some(text) = self.text(column) else { return Ok(None) };
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Some(number)),
            Ok(_) | Err(_) => Err(self.bad(column, "a finite number")),
        }
    }

    fn bad(&self, column: &'static str, wanted: &'static str) -> ImportError {
        let text = self.text(column).unwrap_or_default().to_owned();
        ImportError::BadValue { file: self.file.to_owned(), line: self.line, column, text, wanted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Result<Vec<Imported>, ImportError> {
        read(Path::new("theirs.csv"), text, "theirs")
    }

    #[test]
    fn a_table_becomes_rows() {
        let text = "batch_size, augment.remove, metric, value, spread, n, source, unit\n\
                    64, none, linear_top1, 91.5, 0.3, 3,\"A, B (2021), Table 2\", percent\n\
                    128,, loss, -3.5,,,,\n";
        let rows = rows(text).unwrap();
        assert_eq!(rows[0].settings["augment.remove"], "none");
        assert!(
            (rows[0].value - 0.915).abs() < 1e-12
                && (rows[0].spread.unwrap() - 0.003).abs() < 1e-12
        );
        assert_eq!((rows[0].n, rows[0].source.as_deref()), (Some(3), Some("A, B (2021), Table 2")));
        assert_eq!(rows[1].settings.len(), 1, "what is empty is not said");
        assert_eq!((rows[1].value, rows[1].spread, rows[1].n), (-3.5, None, None));
    }

    #[test]
    fn every_fault_names_its_line_and_what_to_do() {
        let cases = [
            ("arm,value\nx,1\n", "theirs.csv has no column `metric`: it has arm, value"),
            (
                "batchsize,metric,value\n64,loss,1\n",
                "`batchsize`, which is neither a setting nor one of arm, metric, value, spread, n, source, unit; did you mean `batch_size`?",
            ),
            ("arm,metric,value,arm\nx,loss,1,y\n", "has the column `arm` twice"),
            ("metric,value\nloss,1\n", "theirs.csv tells no cells apart"),
            ("arm,metric,value\n", "has a heading and no rows"),
            ("", "theirs.csv has no column `metric`: it has none at all"),
            (
                "arm,metric,value\na,loss,1\nb,loss\n",
                "line 3 is no row of the table: it has 2 entries where the heading has 3",
            ),
            (
                "arm,metric,value\na,loss,NaN\n",
                "line 2: value is `NaN`, which is not a finite number",
            ),
            ("arm,metric,value\na,loss,\n", "line 2: value is ``, which is not a number"),
            ("arm,metric,value\na,,1\n", "line 2: metric is ``, which is not the name of a metric"),
            (
                "arm,metric,value,n\na,loss,1,0\n",
                "line 2: n is `0`, which is not a whole number from 1",
            ),
            (
                "arm,metric,value,spread\na,loss,1,-1\n",
                "line 2: spread is `-1`, which is not a number from 0",
            ),
            (
                "arm,metric,value,unit\na,loss,1,kg\n",
                "line 2: unit is `kg`, which is not `fraction` or `percent`",
            ),
            (
                "arm,metric,value\na,linear_top1,73.2\n",
                "line 2: linear_top1 is 73.2, and accuracies are fractions",
            ),
            (
                "arm,metric,value\na,loss,1\na,loss,2\n",
                "line 3 says again what line 2 says: a loss",
            ),
        ];
        for (text, message) in cases {
            let error = rows(text).unwrap_err();
            assert!(error.to_string().contains(message), "{text:?}: {error}");
            assert!(error.is_usage(), "{error}");
        }
    }

    #[test]
    fn two_sources_may_tell_of_one_cell() {
        let text = "arm,metric,value,source\na,loss,1,them\na,loss,2,others\n";
        assert_eq!(rows(text).unwrap().len(), 2);
    }
}
