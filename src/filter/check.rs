//! What can be known to be wrong with an expression before it is evaluated. Pure.

use std::collections::BTreeSet;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, EntryExpr, Expr, LiteralValue, operators};

use super::subject::Subject;
use super::{Fault, Site, Source};
use crate::spec::nearest;

/// Functions that expressions can call; macros are expanded before.
const FUNCTIONS: [&str; 11] = [
    "bool",
    "contains",
    "double",
    "endsWith",
    "int",
    "matches",
    "size",
    "startsWith",
    "string",
    "type",
    "uint",
];

/// Macros, for suggestions only.
const MACROS: [&str; 6] = ["all", "exists", "exists_one", "filter", "has", "map"];

/// Refuses calls of what does not exist, and loops within loops, whose cost multiplies.
pub(super) fn calls(source: &Source, expr: &IdedExpr) -> Result<(), Fault> {
    walk(expr, &mut Vec::new(), &mut |visited| match visited {
        Visited::Call(name) if is_word(name) && !FUNCTIONS.contains(&name) => {
            let fault = Fault::new(
                format!("there is no function `{name}`"),
                &site(source, name),
                "called here",
            );
            let known = FUNCTIONS.into_iter().chain(MACROS);
            Err(match nearest(name, known.clone()) {
                Some(near) => fault.help(format!("did you mean `{near}`?")),
                None => fault.help(format!("there is {}", known.collect::<Vec<_>>().join(", "))),
            })
        }
        Visited::Loop { depth: 2.. } => {
            let site = Site::new(source, 0..source.inner().len());
            Err(Fault::new("a filter cannot loop within a loop", &site, "here"))
        }
        Visited::Call(_) | Visited::Loop { .. } | Visited::Path(_) | Visited::Compared { .. } => {
            Ok(())
        }
    })
}

/// Refuses names that no trial has, and lists that are compared with a text, which they never equal.
/// A metric is free where nothing was measured yet.
pub(super) fn names(
    source: &Source,
    expr: &IdedExpr,
    subjects: &[Subject<'_>],
) -> Result<(), Fault> {
    if subjects.is_empty() {
        return Ok(());
    }
    walk(expr, &mut Vec::new(), &mut |visited| match visited {
        Visited::Path(path) => match unknown(path, subjects) {
            None => Ok(()),
            Some(end) => Err(stranger(source, &path[..end], subjects)),
        },
        Visited::Compared { path, text } if Subject::have_lists(subjects, &path) => {
            let whole = path.join(".");
            let fault = Fault::new(
                format!("`{whole}` is a list, which no text equals"),
                &site(source, &whole),
                "compared here",
            );
            Err(fault.help(format!("did you mean `\"{text}\" in {whole}`?")))
        }
        Visited::Call(_) | Visited::Loop { .. } | Visited::Compared { .. } => Ok(()),
    })
}

/// Returns the names that an evaluation may ask for: each free path with its beginnings.
pub(super) fn asked(expr: &IdedExpr) -> Vec<String> {
    let mut names = BTreeSet::new();
    let _all = walk(expr, &mut Vec::new(), &mut |visited| {
        if let Visited::Path(path) = visited {
            names.extend((1..=path.len()).map(|end| path[..end].join(".")));
        }
        Ok(())
    });
    names.into_iter().collect()
}

/// Returns the length of the shortest part of the path that no trial has.
pub(super) fn unknown(path: &[&str], subjects: &[Subject<'_>]) -> Option<usize> {
    let nothing_measured = || subjects.iter().all(|subject| !subject.has_metrics());
    if path[0] == Subject::METRIC && nothing_measured() {
        return None;
    }
    (1..=path.len()).find(|end| !subjects.iter().any(|subject| subject.has(&path[..*end])))
}

/// Tells of a name that no trial has.
pub(super) fn stranger(source: &Source, path: &[&str], subjects: &[Subject<'_>]) -> Fault {
    let whole = path.join(".");
    let shown = if source.inner().contains(&whole) { whole.as_str() } else { path[path.len() - 1] };
    let fault = Fault::new(format!("no trial has `{whole}`"), &site(source, shown), "named here");
    let known = Subject::names(subjects, &path[..path.len() - 1]);
    let last = path[path.len() - 1];
    match nearest(last, known.iter().map(String::as_str)) {
        Some(near) => {
            let prefix = &whole[..whole.len() - last.len()];
            fault.help(format!("did you mean `{prefix}{near}`?"))
        }
        None if path.len() == 1 => fault
            .help(format!("there is {}; texts are quoted: state == \"failed\"", known.join(", "))),
        None if known.is_empty() => fault.help("it has no parts"),
        None => fault.help(format!("there is {}", known.join(", "))),
    }
}

fn site(source: &Source, word: &str) -> Site {
    let text = source.inner();
    let span = text.find(word).map_or(0..text.len(), |at| at..at + word.len());
    Site::new(source, span)
}

/// Operators are calls too.
fn is_word(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
}

/// What a walk comes by.
enum Visited<'v, 'e> {
    /// A call of a function or operator.
    Call(&'e str),
    /// A macro that loops, within so many others.
    Loop { depth: usize },
    /// A path that is compared with a text.
    Compared { path: Vec<&'e str>, text: &'e str },
    /// A free name with all that is selected from it.
    Path(&'v [&'e str]),
}

/// Visits an expression; `bound` are the variables of the loops around it.
fn walk<'e>(
    expr: &'e IdedExpr,
    bound: &mut Vec<&'e str>,
    visit: &mut impl FnMut(Visited<'_, 'e>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    if let Some(path) = path(expr) {
        return if bound.contains(&path[0]) { Ok(()) } else { visit(Visited::Path(&path)) };
    }
    match &expr.expr {
        Expr::Unspecified | Expr::Literal(_) | Expr::Ident(_) => Ok(()),
        Expr::Select(select) => walk(&select.operand, bound, visit),
        Expr::Call(call) => {
            visit(Visited::Call(&call.func_name))?;
            if let Some((path, text)) = compared(call)
                && !bound.contains(&path[0])
            {
                visit(Visited::Compared { path, text })?;
            }
            let target = call.target.as_deref().into_iter();
            target.chain(&call.args).try_for_each(|part| walk(part, bound, visit))
        }
        Expr::List(list) => list.elements.iter().try_for_each(|part| walk(part, bound, visit)),
        Expr::Map(map) => map.entries.iter().try_for_each(|part| entry(&part.expr, bound, visit)),
        Expr::Struct(fields) => {
            visit(Visited::Call(&fields.type_name))?;
            fields.entries.iter().try_for_each(|part| entry(&part.expr, bound, visit))
        }
        Expr::Comprehension(each) => {
            walk(&each.iter_range, bound, visit)?;
            let before = bound.len();
            bound.extend([each.iter_var.as_str(), each.accu_var.as_str()]);
            bound.extend(each.iter_var2.as_deref());
            // The accumulator is bound once a loop, whatever else is.
            let depth = bound.iter().filter(|name| !is_word(name)).count();
            visit(Visited::Loop { depth })?;
            for part in [&each.accu_init, &each.loop_cond, &each.loop_step, &each.result] {
                walk(part, bound, visit)?;
            }
            bound.truncate(before);
            Ok(())
        }
    }
}

fn entry<'e>(
    entry: &'e EntryExpr,
    bound: &mut Vec<&'e str>,
    visit: &mut impl FnMut(Visited<'_, 'e>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    match entry {
        EntryExpr::StructField(field) => walk(&field.value, bound, visit),
        EntryExpr::MapEntry(pair) => {
            walk(&pair.key, bound, visit)?;
            walk(&pair.value, bound, visit)
        }
    }
}

/// Returns the path and the text of `a.b == "text"`.
fn compared(call: &CallExpr) -> Option<(Vec<&str>, &str)> {
    let equality = [operators::EQUALS, operators::NOT_EQUALS].contains(&call.func_name.as_str());
    let ([a, b], true) = (call.args.as_slice(), equality) else { return None };
    match (literal(a), literal(b)) {
        (None, Some(text)) => Some((path(a)?, text)),
        (Some(text), None) => Some((path(b)?, text)),
        (None, None) | (Some(_), Some(_)) => None,
    }
}

fn literal(expr: &IdedExpr) -> Option<&str> {
    let Expr::Literal(LiteralValue::String(text)) = &expr.expr else { return None };
    Some(text.inner())
}

/// Returns the parts of `a.b["c"]`; `None` for what is no such path, and for `has(a.b)`, which asks
/// whether there is one.
fn path(expr: &IdedExpr) -> Option<Vec<&str>> {
    match &expr.expr {
        Expr::Ident(name) => Some(vec![name]),
        Expr::Select(select) if !select.test => {
            let mut path = path(&select.operand)?;
            path.push(&select.field);
            Some(path)
        }
        Expr::Call(call) if call.func_name == "_[_]" => match call.args.as_slice() {
            [operand, index] => {
                let mut path = path(operand)?;
                let Expr::Literal(LiteralValue::String(field)) = &index.expr else { return None };
                path.push(field.inner());
                Some(path)
            }
            _ => None,
        },
        Expr::Unspecified
        | Expr::Call(_)
        | Expr::Comprehension(_)
        | Expr::List(_)
        | Expr::Literal(_)
        | Expr::Map(_)
        | Expr::Select(_)
        | Expr::Struct(_) => None,
    }
}
