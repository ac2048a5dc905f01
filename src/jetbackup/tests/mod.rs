//! The client against servers made of a function, and what these tests share.

mod client;
mod destination;
mod lists;
mod log;
mod trigger;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Client;
use crate::ssh::{Exec, ExecError, ExecFuture, Output, Sent};

/// A server that answers each command by a function and remembers what it was sent.
pub(super) struct Scripted<F> {
    answer: F,
    commands: Mutex<Vec<String>>,
}

impl<F: Fn(&str) -> Result<Output, ExecError> + Send + Sync> Exec for Scripted<F> {
    fn exec(&self, command: String, _limit: Duration) -> ExecFuture<'_> {
        let answer = (self.answer)(&command);
        self.commands.lock().unwrap().push(command);
        Box::pin(async move { answer })
    }
}

impl<F> Scripted<F> {
    /// The API functions called since the last time this was asked.
    pub(super) fn functions(&self) -> Vec<String> {
        let commands = std::mem::take(&mut *self.commands.lock().unwrap());
        commands.iter().map(|command| function(command).to_owned()).collect()
    }
}

/// A client and the server it asks.
pub(super) fn scripted<F>(answer: F) -> (Client, Arc<Scripted<F>>)
where
    F: Fn(&str) -> Result<Output, ExecError> + Send + Sync + 'static,
{
    let server = Arc::new(Scripted { answer, commands: Mutex::default() });
    let client = Client::new("web1".parse().unwrap(), server.clone(), Duration::from_secs(30));
    (client, server)
}

/// The API function of a command.
pub(super) fn function(command: &str) -> &str {
    command.split(' ').nth(2).unwrap_or("echo")
}

/// A parameter of a command.
pub(super) fn parameter<'a>(command: &'a str, key: &str) -> Option<&'a str> {
    let data = command.split('\'').nth(1)?;
    data.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
}

/// JetBackup answers `value` with exit status 0, as it always does.
pub(super) fn says(value: &Value) -> Result<Output, ExecError> {
    Ok(Output { stdout: value.to_string().into_bytes(), stderr: String::new(), exit: 0 })
}

pub(super) fn success(data: Value) -> Result<Output, ExecError> {
    says(&json!({"success": 1, "message": "", "data": data, "system": {"version": "5.3.3"}}))
}

pub(super) fn refusal(message: &str) -> Result<Output, ExecError> {
    says(&json!({"success": 0, "message": message, "data": [], "system": {"version": "5.3.3"}}))
}

pub(super) fn gate_refusal(command: &str) -> Result<Output, ExecError> {
    let stderr = format!("ERROR: Command not allowed: {command}\n");
    Ok(Output { stdout: Vec::new(), stderr, exit: 1 })
}

pub(super) fn raw(stdout: &str, exit: u32) -> Result<Output, ExecError> {
    Ok(Output { stdout: stdout.as_bytes().to_vec(), stderr: String::new(), exit })
}

pub(super) fn lost(sent: Sent) -> Result<Output, ExecError> {
    Err(ExecError { sent, transient: true, message: "connection to web1 lost".to_owned() })
}

/// An id that ends in `number`.
pub(super) fn id(number: u32) -> String {
    format!("64abcdef{number:016x}")
}

/// A group of job `job`, one second younger for each higher number.
pub(super) fn group(number: u32, job: u32, status: i64) -> Value {
    json!({"_id": id(number), "created": 1_700_000_000 + number, "type": 1, "status": status, "data": {"_id": id(job)}})
}

/// Any JSON, nested a little.
pub(super) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1.0e6..1.0e6).prop_map(|float: f64| Value::from(float.round() / 4.0)),
        ".{0,30}".prop_map(Value::from),
        "[0-9a-f]{24}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        let object = prop::collection::vec(("[_$a-z0-9]{1,4}", inner.clone()), 0..5);
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(Value::from),
            object.prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}
