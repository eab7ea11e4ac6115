//! `serve`: the live page.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use super::args::ServeArgs;
use super::exit::{ExitCode, NothingMatched};
use super::places::Places;
use crate::serve::{Listen, Server};
use crate::store::Store;
use crate::ui::Ui;

pub(super) fn run(args: &ServeArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the event loop")?;
    runtime.block_on(serve(args, places, ui))?;
    // Nobody waits for a computation whose page is gone.
    runtime.shutdown_background();
    Ok(ExitCode::Success)
}

async fn serve(args: &ServeArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<()> {
    let Some(store) = Store::open_read_only(&places.state).await? else {
        let state = places.state.display();
        let text = format!(
            "there is no sweep in {state} yet: start with `byol-sweep run FILE`, or name another folder with --state-dir"
        );
        return Err(NothingMatched(text).into());
    };
    let listen = Listen { address: args.listen, port: args.port, names: args.host.clone() };
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let server = Server::bind(listen, store).await?;
    ui.print(&server.address())?;
    ui.note(if server.needs_token_to_read() {
        "who has this link may read and act; nothing is encrypted; Ctrl-C ends it"
    } else {
        "who has this link may act; reading needs no token on this machine; Ctrl-C ends it"
    });
    if let Some(error) = server.unkept() {
        ui.note(&format!("the token is not kept in {}: {error}", places.state.display()));
    }
    let end = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    Ok(server.run(end).await?)
}
