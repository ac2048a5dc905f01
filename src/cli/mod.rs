//! The command line: what can be typed, and what each command prints.
//!
//! One file a command. This room wires the others together for a person at a terminal; none of them knows it.

mod completions;
mod context;
mod daemon;
mod destinations;
mod doctor;
mod exit;
mod gate;
mod history;
mod init;
mod list;
mod mqtt;
mod notify;
mod output;
mod paint;
mod progress;
mod release;
mod remarks;
mod run;
mod schema;
mod status;
mod stop;
mod table;
mod test;
mod validate;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

use self::exit::{Exit, Failure};
use crate::model::GroupId;

/// Where the configuration is unless `-c` says otherwise.
const CONFIG: &str = "/etc/jetbackup-remote/config.json";

/// Runs the JetBackup 5 jobs of several servers strictly one at a time.
#[derive(Debug, Parser)]
#[command(name = "jetbackup-remote", version, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    /// Configuration file.
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        default_value = CONFIG
    )]
    config: PathBuf,
    /// Tell more: once for the steps, twice for every call.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Set up: make the key, read the jobs off the servers, write the configuration.
    Init(Box<init::InitArgs>),
    /// Print the gate's installation as one shell script, to be run on a server.
    Gate(gate::GateArgs),
    /// Run the jobs, one at a time: all of them, or those selected.
    Run(RunArgs),
    /// Show what every job and server is doing.
    Status(StatusArgs),
    /// Check the way to every server: SSH, gate, JetBackup.
    Test(ServerArgs),
    /// Check everything at once, and say what to do about what is not well. Changes nothing.
    Doctor(JsonArgs),
    /// List the jobs in the queue's plan, and those the servers have beside them.
    List(JsonArgs),
    /// List the servers' destinations: their state, and how much room they have.
    Destinations(JsonArgs),
    /// Stop a run by its queue group, as `status` shows it.
    Stop(StopArgs),
    /// Take a run beyond its time limit off the lane; it stays watched.
    Release(ReleaseArgs),
    /// Check the configuration and sum it up.
    Validate,
    /// Keep the queue: take commands, start cycles by the schedule, until told to end.
    Daemon,
    /// Show, or take back, what is published over MQTT.
    #[command(subcommand)]
    Mqtt(MqttAction),
    /// Try out how people are told.
    #[command(subcommand)]
    Notify(NotifyAction),
    /// Show past runs, newest first.
    History(HistoryArgs),
    /// Print the JSON Schema of the configuration.
    Schema,
    /// Print the completions for a shell.
    Completions(CompletionsArgs),
}

#[derive(Debug, Args)]
struct RunArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    /// Only show the order, asking and changing nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
struct SelectionArgs {
    /// Only the jobs of this server.
    #[arg(long, value_name = "SERVER")]
    server: Option<String>,
    /// Only the job with this id.
    #[arg(long, value_name = "JOB_ID")]
    job: Option<String>,
}

#[derive(Debug, Args)]
struct ServerArgs {
    /// Only this server.
    #[arg(long, value_name = "SERVER")]
    server: Option<String>,
}

#[derive(Debug, Args)]
struct StatusArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct JsonArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct StopArgs {
    /// The server it runs on.
    #[arg(long, value_name = "SERVER")]
    server: String,
    /// The run's queue group.
    #[arg(value_name = "QUEUE_GROUP_ID")]
    group: GroupId,
}

#[derive(Debug, Args)]
struct ReleaseArgs {
    /// The server it runs on.
    #[arg(long, value_name = "SERVER")]
    server: String,
    /// The job's id.
    #[arg(long, value_name = "JOB_ID")]
    job: String,
}

#[derive(Debug, Args)]
struct HistoryArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    /// At most this many runs.
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum MqttAction {
    /// Print what Home Assistant is told by MQTT discovery, topic by topic.
    Discovery(DiscoveryArgs),
    /// Print a dashboard of these servers and jobs for Home Assistant, as YAML.
    Dashboard,
}

#[derive(Debug, Subcommand)]
enum NotifyAction {
    /// Send a mail to everyone it is configured for, and say what the server answers.
    Test,
}

#[derive(Debug, Args)]
struct DiscoveryArgs {
    /// Remove everything of this installation from the broker, and thereby its devices from Home Assistant.
    #[arg(long)]
    clear: bool,
}

#[derive(Debug, Args)]
struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

/// What can be typed, for who writes manual pages and completions of it.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Reads the command line and does what it says.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // A closed pipe is no reason to say more.
            let _ = error.print();
            return if error.use_stderr() { Exit::CouldNotStart } else { Exit::Done }.into();
        }
    };
    match perform(cli) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output::print_error(&failure.to_string());
            Exit::CouldNotStart.into()
        }
    }
}

fn perform(cli: Cli) -> Result<Exit, Failure> {
    let Cli { config, verbose, command } = cli;
    match command {
        Action::Validate => Ok(validate::validate(&config)),
        Action::Schema => schema::schema(),
        Action::Completions(args) => completions::completions(args.shell, &mut Cli::command()),
        Action::Init(args) => init::init(&config, verbose, &args),
        Action::Gate(args) => gate::gate(&config, &args),
        Action::Run(args) => run::run(&config, verbose, &args),
        Action::Status(args) => status::status(&config, verbose, &args),
        Action::Test(args) => test::test(&config, verbose, args.server.as_deref()),
        Action::Doctor(args) => doctor::doctor(&config, verbose, args.json),
        Action::List(args) => list::list(&config, verbose, args.json),
        Action::Destinations(args) => destinations::destinations(&config, verbose, args.json),
        Action::Stop(args) => stop::stop(&config, verbose, &args),
        Action::Release(args) => release::release(&config, &args),
        Action::Daemon => daemon::daemon(&config, verbose),
        Action::Mqtt(action) => mqtt::mqtt(&config, verbose, &action),
        Action::Notify(NotifyAction::Test) => notify::test(&config, verbose),
        Action::History(args) => history::history(&config, &args),
    }
}
