//! Parses the command line, calls the command, prints the error, gives the exit code.

use std::process::ExitCode;

use burnlab::cli;

// The CPU backend allocates a tensor an operation; an allocator that keeps its pages makes that cheap.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::parse() {
        Ok(arguments) => cli::run(arguments).unwrap_or_else(|error| cli::complain(&error)),
        Err(code) => code,
    }
}
