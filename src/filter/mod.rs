//! Which trials a person means: expressions in CEL over what is known of a trial, the same in every
//! verb. Knows nothing of where trials come from or what becomes of the chosen ones.
//!
//! A trial may lack what an expression speaks of: a metric before its evaluation, an axis that
//! other cells have. What is said of it then is neither true nor false, as with NULL in SQL, and a
//! trial is chosen only where the whole is true. `docs/filters.md` is the reference for people.

mod check;
mod deep;
mod order;
mod scope;
mod subject;
mod value;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use cel::{Context, Env, ExecutionError, Program, Value};
use miette::NamedSource;

use deep::deep;
use scope::Scope;

pub use order::Order;
pub use subject::{Facts, Subject, subjects};

use crate::spec::{Fault, Site};

/// The text of an expression with what errors call it.
type Source = Arc<NamedSource<String>>;

/// Bytes of the longest expression: what no person types is no filter, and its cost stays bounded.
const LONGEST: usize = 1000;

/// An expression that reads well; whether its names exist depends on the trials.
#[derive(Debug)]
pub struct Filter {
    source: Source,
    program: Program,
}

impl Filter {
    /// Reads an expression.
    ///
    /// # Errors
    ///
    /// It is no CEL, calls a function that does not exist, or loops within a loop.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let source: Source = Arc::new(NamedSource::new("filter", text.to_owned()));
        if text.len() > LONGEST {
            let site = Site::new(&source, 0..0);
            let message = format!("this filter is longer than {LONGEST} bytes");
            return Err(Fault::new(message, &site, "here it begins"));
        }
        let read = || {
            let program = Program::compile(text).map_err(|errors| syntax(&source, &errors))?;
            check::calls(&source, program.expression())?;
            Ok(program)
        };
        let program = deep(read).map_err(|error| no_room(&source, &error)).flatten()?;
        Ok(Self { source, program })
    }

    /// Returns the places of the trials that the expression is true of.
    ///
    /// # Errors
    ///
    /// It names what no trial has, or is not a yes or no.
    pub fn choose(&self, subjects: &[Subject<'_>]) -> Result<Vec<usize>, Fault> {
        deep(|| self.true_of(subjects)).map_err(|error| no_room(&self.source, &error)).flatten()
    }

    fn true_of(&self, subjects: &[Subject<'_>]) -> Result<Vec<usize>, Fault> {
        check::names(&self.source, self.program.expression(), subjects)?;
        let names = check::asked(self.program.expression());
        let env = Arc::new(Env::stdlib());
        let mut chosen = Vec::new();
        for (place, subject) in subjects.iter().enumerate() {
            for face in subject.faces() {
                let scope = Scope::of(&names, face);
                let mut context = Context::with_env(Arc::clone(&env));
                context.set_variable_resolver(&scope);
                if self.is_true(self.program.execute(&context), subject)? {
                    chosen.push(place);
                    break;
                }
            }
        }
        Ok(chosen)
    }

    fn is_true(
        &self,
        result: Result<Value, ExecutionError>,
        subject: &Subject<'_>,
    ) -> Result<bool, Fault> {
        match result {
            Ok(Value::Bool(truth)) => Ok(truth),
            Ok(other) => {
                let message = format!("this filter is a {}, not a yes or no", other.type_of());
                Err(self.fault(message).help("compare it with something: `batch_size == 256`"))
            }
            Err(ExecutionError::NoSuchKey(_) | ExecutionError::IndexOutOfBounds(_)) => Ok(false),
            Err(error) => {
                let message = format!("this filter makes no sense of trial {}", subject.number());
                Err(self.fault(message).help(error.to_string()))
            }
        }
    }

    fn fault(&self, message: String) -> Fault {
        let site = Site::new(&self.source, 0..self.source.inner().len());
        Fault::new(message, &site, "this filter")
    }
}

fn no_room(source: &Source, error: &std::io::Error) -> Fault {
    Fault::new(
        format!("this filter cannot be evaluated: {error}"),
        &Site::new(source, 0..0),
        "this",
    )
}

/// Tells the first error of the parser, at its place.
fn syntax(source: &Source, errors: &cel::ParseErrors) -> Fault {
    let Some(first) = errors.errors.first() else {
        return Fault::new("this is no filter", &Site::new(source, 0..0), "here");
    };
    let at = place(source.inner(), first.pos);
    let text = first.msg.strip_prefix("Syntax error: ").unwrap_or(&first.msg);
    // What the grammar would take instead is a list of all its tokens.
    let text = text.split(" expecting ").next().unwrap_or(text).replace("'<EOF>'", "the end");
    let help = if text.contains("'= ") || text.contains("'='") {
        "to compare, write `==`; texts are quoted: state == \"failed\""
    } else {
        "filters are CEL: comparisons, `&&`, `||`, `!`, `in`; texts are quoted: state == \"failed\""
    };
    Fault::new("this filter cannot be read", &Site::new(source, at..at), text).help(help)
}

/// Returns the byte at a line and a column, both from 1; the end where there is none such.
fn place(text: &str, (line, column): (isize, isize)) -> usize {
    let (line, column) = (usize::try_from(line), usize::try_from(column));
    let (Ok(line @ 1..), Ok(column @ 1..)) = (line, column) else { return text.len() };
    let Some(start) = text.split_inclusive('\n').take(line - 1).map(str::len).reduce(|a, b| a + b)
    else {
        return offset(text, 0, column);
    };
    offset(text, start, column)
}

fn offset(text: &str, start: usize, column: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    rest.char_indices().nth(column - 1).map_or(text.len(), |(at, _)| start + at)
}
