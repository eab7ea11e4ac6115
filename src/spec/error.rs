//! What is wrong in a sweep file, and where. Knows how an error is shown, not how one is found.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

/// A text with its name: the sweep file, or one `--set`.
pub(crate) type Source = Arc<NamedSource<String>>;

/// A place in a text.
#[derive(Clone, Debug)]
pub struct Site {
    source: Source,
    span: Range<usize>,
}

impl Site {
    pub(crate) fn new(source: &Source, span: Range<usize>) -> Self {
        Self { source: Arc::clone(source), span }
    }

    /// Returns another place in the same text.
    pub(crate) fn within(&self, span: Range<usize>) -> Self {
        Self { source: Arc::clone(&self.source), span }
    }

    /// Returns the byte range in its text.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}

/// One error of a sweep file, with the place that it speaks of.
#[derive(Clone, Debug)]
pub struct Fault {
    message: String,
    help: Option<String>,
    source: Source,
    labels: Vec<(Range<usize>, String)>,
}

impl Fault {
    pub(crate) fn new(message: impl Into<String>, site: &Site, label: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
            source: Arc::clone(&site.source),
            labels: vec![(site.span(), label.into())],
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a second place; one in another text cannot be shown beside the first and is left out.
    pub(crate) fn and(mut self, site: &Site, label: impl Into<String>) -> Self {
        if Arc::ptr_eq(&self.source, &site.source) && site.span != self.labels[0].0 {
            self.labels.push((site.span(), label.into()));
        }
        self
    }

    /// Returns the byte range that the error is about.
    pub fn span(&self) -> Range<usize> {
        self.labels[0].0.clone()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl Diagnostic for Fault {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&*self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().enumerate().map(|(i, (span, label))| {
            let text = Some(label.clone());
            if i == 0 {
                LabeledSpan::new_primary_with_span(text, span.clone())
            } else {
                LabeledSpan::new_with_span(text, span.clone())
            }
        })))
    }
}

/// All that is wrong in a sweep file: at least one fault, in the order of the file.
#[derive(Clone, Debug)]
pub struct SpecError {
    first: Box<Fault>,
    rest: Vec<Fault>,
}

impl SpecError {
    /// Returns the faults, in the order of the file.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        std::iter::once(&*self.first).chain(&self.rest)
    }
}

impl From<Fault> for SpecError {
    fn from(fault: Fault) -> Self {
        Self { first: Box::new(fault), rest: Vec::new() }
    }
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)
    }
}

impl std::error::Error for SpecError {}

impl Diagnostic for SpecError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Diagnostic::help(&*self.first)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.first.source_code()
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.first.labels()
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        if self.rest.is_empty() {
            return None;
        }
        Some(Box::new(self.rest.iter().map(|fault| fault as &dyn Diagnostic)))
    }
}

/// Collects faults, so that one look at a file tells all of them.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn push(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// Returns the value of an `Ok` and keeps the fault of an `Err`.
    pub(crate) fn keep<T>(&mut self, result: Result<T, Fault>) -> Option<T> {
        result.map_err(|fault| self.push(fault)).ok()
    }

    pub(crate) fn is_any(&self) -> bool {
        !self.0.is_empty()
    }

    pub(crate) fn finish(mut self) -> Result<(), SpecError> {
        self.0.sort_by_key(|fault| fault.span().start);
        let mut faults = self.0.into_iter();
        match faults.next() {
            None => Ok(()),
            Some(first) => Err(SpecError { first: Box::new(first), rest: faults.collect() }),
        }
    }
}
