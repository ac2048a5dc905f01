//! Writes what packages carry beside the program: manual pages and shell completions, made of the command line itself.
//!
//! `cargo run --example pages -- DIRECTORY` makes `DIRECTORY/man1/*.1` and `DIRECTORY/completions/`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

const PROGRAM: &str = "jetbackup-remote";

const EXITS: [(&str, &str); 3] = [
    ("0", "Done; every job of the run completed."),
    (
        "1",
        "Could not start: usage, configuration, lock held, permission. test: something failed. validate: errors.",
    ),
    ("2", "run: some job did not complete. status, list, destinations: some server could not be asked."),
];

const FILES: [(&str, &str); 6] = [
    (
        "/etc/jetbackup-remote/config.json",
        "The configuration; `jetbackup-remote schema` describes every key.",
    ),
    (
        "/etc/jetbackup-remote/ssh_key",
        "The SSH key for the systemd services, or a link to it; it is read as root, and replaces the configured one there.",
    ),
    ("/var/lib/jetbackup-remote/", "Lock, history, known host keys."),
    (
        "/run/jetbackup-remote/control.sock",
        "How status, stop, release and a second run reach the runner. Members of the group jetbackup-remote may use it.",
    ),
    ("/var/log/jetbackup-remote.log", "The log of a run by hand."),
    ("/var/log/jetbackup-remote/", "The log of the systemd services."),
];

fn main() -> Result<(), Box<dyn Error>> {
    let directory = PathBuf::from(env::args_os().nth(1).ok_or("usage: pages DIRECTORY")?);
    let mut command = jetbackup_remote::cli::command();
    completions(&mut command, &directory.join("completions"))?;
    // A page that prints other pages is not needed.
    let mut command = command.disable_help_subcommand(true);
    command.build();
    pages(&command, &directory.join("man1"))
}

/// One file a shell, named as the shell looks for it.
fn completions(command: &mut Command, directory: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(directory)?;
    for (shell, name) in [
        (Shell::Bash, PROGRAM.to_owned()),
        (Shell::Zsh, format!("_{PROGRAM}")),
        (Shell::Fish, format!("{PROGRAM}.fish")),
    ] {
        let mut script = Vec::new();
        clap_complete::generate(shell, command, PROGRAM, &mut script);
        fs::write(directory.join(name), script)?;
    }
    Ok(())
}

/// One page for the program, and one for every command that does something.
fn pages(command: &Command, directory: &Path) -> Result<(), Box<dyn Error>> {
    // What was removed from the command line must not stay as a page.
    if directory.exists() {
        fs::remove_dir_all(directory)?;
    }
    fs::create_dir_all(directory)?;
    write(command, PROGRAM, directory)
}

fn write(command: &Command, name: &str, directory: &Path) -> Result<(), Box<dyn Error>> {
    for below in command.get_subcommands().filter(|below| below.get_name() != "help" && !below.is_hide_set())
    {
        write(below, &format!("{name}-{}", below.get_name()), directory)?;
    }
    let page = Man::new(command.clone())
        .title(name)
        .source(format!("{PROGRAM} {}", env!("CARGO_PKG_VERSION")))
        .manual("jetbackup-remote");
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    if command.get_arguments().any(|argument| !argument.is_hide_set()) {
        page.render_options_section(&mut text)?;
    }
    if command.has_subcommands() {
        page.render_subcommands_section(&mut text)?;
    }
    if name == PROGRAM {
        list("EXIT STATUS", &EXITS).to_writer(&mut text)?;
        list("FILES", &FILES).to_writer(&mut text)?;
    } else {
        let mut roff = Roff::new();
        roff.control("SH", ["SEE ALSO"]).text([bold(PROGRAM), roman("(1)")]);
        roff.to_writer(&mut text)?;
    }
    fs::write(directory.join(format!("{name}.1")), text)?;
    Ok(())
}

fn list(title: &str, entries: &[(&str, &str)]) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", [title]);
    for (name, meaning) in entries {
        roff.control("TP", []).text([bold(*name)]).text([roman(*meaning)]);
    }
    roff
}
