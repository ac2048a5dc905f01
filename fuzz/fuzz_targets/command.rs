#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| jetbackup_remote::fuzzing::command(bytes));
