//! The live page: what a browser shows of a state folder, while a run is at work there or not.
//!
//! It reads the store as every other reader does, beside the controller and without it. Pages are
//! made here, whole, so that they work without the script; the script only asks for them again when
//! something changed (`events`), follows logs, and asks before it acts. `guard` decides who may
//! ask for what; `roster` keeps a sweep's trials up to date without reading all of them again;
//! `pages` turns them into text. Knows nothing of how trials are run.

mod act;
mod assets;
mod drawing;
mod error;
mod events;
mod forecast;
mod guard;
mod house;
mod latest;
mod links;
mod logs;
mod look;
mod pages;
mod paging;
mod pulse;
mod roster;
mod rosters;
mod routes;
mod server;
mod token;
mod who;

pub use server::{Listen, ServeError, Server};
