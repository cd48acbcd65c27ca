//! Parses the command line, calls the command, prints the error, gives the exit code.

use std::process::ExitCode;

use clap::Parser;

// The CPU backend allocates a tensor an operation; an allocator that keeps its pages makes that cheap.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match burnlab::cli::run(burnlab::cli::Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(error.kind.exit_code())
        }
    }
}
