//! The `negatoscope` program: everything is in the library; this only hands the command line to it.

use std::process::ExitCode;

fn main() -> ExitCode {
    negatoscope::cli::main()
}
